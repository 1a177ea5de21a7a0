{
    "name": "Acme billing",
    "summary": "Gives every posted customer invoice a reference of Acme's own",
    "version": "@VERSION@",
    "category": "Accounting/Accounting",
    "license": "GPL-3",
    "author": "odoo_ops",
    "depends": ["account"],
    "data": ["views/account_move_views.xml"],
    "installable": True,
}
