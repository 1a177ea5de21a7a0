"""The transaction ``order`` on real Odoo with sales, which the other tests' databases do not have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge import Rules
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import transactions_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import canary
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.transaction_files import read_all

from tests.lab.parts.postgres import connect
from tests.lab.site import Site, wait_for
from tests.support.odoo_tenant import OdooTenant

pytestmark = pytest.mark.lab

PARTS = ["releases"]
DATABASE = "canary_order"
RULES = Rules(smoke=True, min_pairs=3)
PLAN = canary.Plan("CHG-2026-0500", RULES, warmup=0, max_rounds=3, known=transactions_of(read_all().values()), transactions=("order",))
LOCKS = """
env["res.config.settings"].create({"group_auto_done_setting": True}).execute()
env.cr.commit()
"""


@pytest.fixture(scope="module")
def tenant(site: Site) -> Iterator[OdooTenant]:
    made = OdooTenant.made(site, DATABASE)
    made.odoo("2", "--database", DATABASE, "--init", "sale", "--stop-after-init", "--no-http")
    assert "ir.sequence" in made.setup()["changes"], "a tenant that got sales later is given what the orders need"
    assert made.setup()["changed"] is False
    made.serve("old", "2")
    wait_for(lambda: made.client("old").ready() == "", what="release 2", timeout_s=60)
    yield made
    made.gone()


def shared_numbers(tenant: OdooTenant) -> object:
    """Where the row of order numbers stands that the companies of the tenant share."""
    with connect(tenant.site.facts("postgres")["clusters"]["shared"], DATABASE) as db:
        (number,) = db.execute("SELECT id FROM ir_sequence WHERE code = 'sale.order' AND company_id IS NULL").fetchone()
        return db.execute(f"SELECT last_value, is_called FROM ir_sequence_{number:03d}").fetchone()


def orders(tenant: OdooTenant) -> int:
    with connect(tenant.site.facts("postgres")["clusters"]["shared"], DATABASE) as db:
        return int(db.execute("SELECT count(*) FROM sale_order").fetchone()[0])


def tried(tenant: OdooTenant) -> canary.Run:
    return canary.carry_out(canary.Sides(tenant.client("old"), None), PLAN)


def test_orders_are_proved_and_nothing_of_them_stays(tenant: OdooTenant) -> None:
    before = shared_numbers(tenant)
    found = tried(tenant)
    assert found.judgement.verdict == "pass", found.judgement.sentence
    assert set(found.records) == {"order.quote", "order.confirm", "order.cancel"}
    assert (orders(tenant), shared_numbers(tenant)) == (0, before)


def test_an_order_that_a_killed_canary_left_is_taken_back_even_when_it_is_locked(tenant: OdooTenant) -> None:
    tenant.odoo("2", "shell", "--database", DATABASE, "--no-http", stdin=LOCKS)
    worker = tenant.worker("old", PLAN.change)
    left = worker.client.call(
        "sale.order",
        "create",
        vals_list=[
            {
                "partner_id": worker.ground.records["order"]["partner"],
                "company_id": worker.ground.company,
                "client_order_ref": worker.ground.tag,
            }
        ],
    )
    worker.client.call("sale.order", "action_confirm", ids=left)
    assert orders(tenant) == 1
    found = tried(tenant)
    assert (found.judgement.verdict, found.swept) == ("pass", 1), found.judgement.sentence
    assert orders(tenant) == 0
