"""Odoo logs a server-wide module that fails to load, and starts without it. For a store of customer data that is the worst
outcome: everything answers, and files and sessions are gone with the pod. So the last server-wide module looks."""
import logging
import os

_logger = logging.getLogger(__name__)


def check_stores():
    missing = []
    if os.environ.get("S3_FILESTORE_HOST"):
        from odoo.addons.base.models.ir_attachment import IrAttachment

        if not hasattr(IrAttachment.__dict__["_file_write"], "__wrapped__"):
            missing.append("attachments are not stored in S3 (S3_FILESTORE_HOST)")
    if os.environ.get("REDIS_HOST"):
        from odoo import http

        if type(http.root.session_store).__name__ != "RedisSessionStore":
            missing.append("sessions are not kept in Redis (REDIS_HOST)")
    if missing:
        _logger.critical("not starting: %s; the messages above say why", "; ".join(missing))
        raise SystemExit(78)
