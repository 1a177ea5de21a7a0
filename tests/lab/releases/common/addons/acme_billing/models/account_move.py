from odoo import fields, models


class AccountMove(models.Model):
    _inherit = "account.move"

    acme_reference = fields.Char("Acme reference", copy=False, readonly=True, index=True)

    def _post(self, soft=True):
        posted = super()._post(soft=soft)
        for move in posted.filtered(lambda m: m.is_sale_document() and not m.acme_reference):
            move.acme_reference = f"ACME/{move.company_id.id:03d}/{move.name}"
        return posted
