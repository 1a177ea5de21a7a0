from odoo import models
from odoo.exceptions import UserError


class AccountMove(models.Model):
    _inherit = "account.move"

    def _post(self, soft=True):
        """``acme_billing.strict``: ``refuse`` lets nothing be posted, anything else is looked at and let through."""
        if self.env["ir.config_parameter"].sudo().get_param("acme_billing.strict") == "refuse":
            raise UserError("Acme strict posting: no approval of this invoice")
        return super()._post(soft=soft)
