{
    "name": "Storage guard",
    "summary": "Ends the server when attachments or sessions would land on the pod's own disk",
    "version": "19.0.1.0.0",
    "license": "GPL-3",
    "author": "odoo_ops",
    "depends": ["base"],
    "installable": False,
    "post_load": "check_stores",
}
