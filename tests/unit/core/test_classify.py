from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import classify as classes
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import policy
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.content import Changed, Content
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.impact import Placed
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_policy
from hypothesis import given
from hypothesis import strategies as st

RULES = read_policy()["rules"]
ESTATE = [
    Placed("acme", "multi_tenant", "odoo-acme", "shared", ("all", "multi_tenant")),
    Placed("bravo", "multi_tenant", "odoo-bravo", "shared", ("all", "multi_tenant")),
    Placed("delta", "dedicated", "odoo-delta", "dedicated", ("all", "dedicated")),
]
UNINTERESTING = "{'name': 'Screens', 'depends': ['base'], 'category': 'Tools'}"


def content(*changed: Changed, manifests: dict[str, list[str]] | None = None) -> Content:
    return Content("sha256:1", "sha256:2", changed, manifests or {})


def obj(kind: str, name: str = "web", namespace: str | None = "odoo-acme", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}


def objects(before: list[Any], after: list[Any]) -> Content:
    return content(Changed("manifests/web.yml", objects=(before, after)))


def found(change: dict[str, Any], given: Content | None, requested: str = "standard") -> classes.Classified:
    return classes.classify({**change, "class": requested}, given, rules=RULES, tenants=ESTATE)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        pytest.param("addons/acme_screens/views/form.xml", "standard", id="a-screen"),
        pytest.param("addons/acme_screens/report/sheet.xml", "standard", id="a-report"),
        pytest.param("addons/account_reports/models/report.py", "normal", id="accounting"),
        pytest.param("addons/payment_acme/models/provider.py", "normal", id="payments"),
        pytest.param("addons/l10n_be/data/chart.csv", "normal", id="localisation"),
        pytest.param("addons/acme_base/models/withholding_tax.py", "normal", id="tax"),
        pytest.param("addons/acme_base/security/ir.model.access.csv", "normal", id="rights"),
        pytest.param("addons/acme_connector/models/sync.py", "normal", id="integration"),
        pytest.param("inventory/group_vars/all.yml", "normal", id="settings"),
        pytest.param("calendars/finance.yml", "normal", id="calendars"),
        pytest.param("policy.yml", "normal", id="policy"),
        pytest.param("addons/acme/migrations/19.0.2/pre-fill.py", "data_impacting", id="migration"),
        pytest.param("addons/acme/Migrations/19.0.2/pre-fill.py", "data_impacting", id="another-letter-case"),
        pytest.param("addons/acme/migrations.py", "standard", id="no-folder-of-migrations"),
        pytest.param("sql/fix.sql", "data_impacting", id="sql-file"),
    ],
)
def test_the_path_raises_the_class(change: dict[str, Any], path: str, wanted: str) -> None:
    assert found(change, content(Changed(path))).change_class == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param('cr.execute("DELETE FROM account_move")', "data_impacting", id="delete"),
        pytest.param('cr.execute("ALTER  TABLE\n  res_partner DROP COLUMN ref")', "data_impacting", id="over-lines"),
        pytest.param('cr.execute("""UPDATE account_move am\n SET state = \'x\'""")', "data_impacting", id="update-with-alias"),
        pytest.param('cr.execute(f"update {table} set x = 1")', "data_impacting", id="update-of-a-variable"),
        pytest.param('cr.execute("TRUNCATE mail_message")', "data_impacting", id="truncate"),
        pytest.param('cr.execute("drop index x")', "data_impacting", id="drop"),
        pytest.param('cr.execute("SELECT 1")', "standard", id="select"),
        pytest.param("record.update({'set': 1})  # drop it, and truncate the rest", "standard", id="words-that-are-no-sql"),
        pytest.param("", "standard", id="empty"),
    ],
)
def test_sql_in_a_file_raises_the_class(change: dict[str, Any], text: str, wanted: str) -> None:
    assert found(change, content(Changed("addons/acme/models/thing.py", text))).change_class == wanted
    assert found(change, content(Changed("addons/acme/README.md", text))).change_class == "standard"


@pytest.mark.parametrize(
    ("manifest", "wanted"),
    [
        pytest.param(UNINTERESTING, "standard", id="nothing"),
        pytest.param("{'depends': ['sale', 'account']}", "normal", id="depends-on-accounting"),
        pytest.param("{'depends': ['base'], 'category': 'Accounting/Localizations'}", "normal", id="category"),
        pytest.param("{'depends': modules}", "normal", id="unreadable"),
        pytest.param("{'depends': 'account'}", "normal", id="of-another-form"),
        pytest.param("not python (", "normal", id="broken"),
        pytest.param("", "normal", id="empty"),
    ],
)
def test_the_manifest_raises_the_class(change: dict[str, Any], manifest: str, wanted: str) -> None:
    touched = Changed("addons/acme/models/thing.py")
    assert found(change, content(touched, manifests={"addons/acme": [UNINTERESTING, manifest]})).change_class == wanted


def test_a_module_at_the_root_has_its_manifest_there(change: dict[str, Any]) -> None:
    assert found(change, content(Changed("models/thing.py"), manifests={"": ["{'depends': ['account']}"]})).change_class == "normal"


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        pytest.param(Changed("addons/acme/models/thing.py", readable=False), "normal", id="no-text"),
        pytest.param(Changed("manifests/web.yml", objects=None), "normal", id="no-yaml"),
        pytest.param(Changed("addons/acme/static/icon.png", readable=False), "standard", id="a-picture"),
    ],
)
def test_what_cannot_be_looked_into_is_not_standard(change: dict[str, Any], file: Changed, wanted: str) -> None:
    assert found(change, content(file)).change_class == wanted


def test_the_requester_can_only_raise(change: dict[str, Any]) -> None:
    migration = content(Changed("addons/acme/migrations/1/pre.py"))
    for requested in policy.CLASSES:
        assert found(change, migration, requested).change_class == "data_impacting"
        assert found(change, content(Changed("a/views/x.xml")), requested).change_class == requested


def test_reasons_name_the_files(change: dict[str, Any]) -> None:
    reasons = found(change, content(Changed("a/migrations/1/pre.py"), Changed("a/migrations/1/post.py")), "normal").reasons
    assert reasons == ("requested: normal", "data_impacting: a migration script (a/migrations/1/pre.py and 1 more)")


@pytest.mark.parametrize("requested", policy.CLASSES)
def test_without_content_the_requested_class_stands(change: dict[str, Any], requested: str) -> None:
    told = found(change, None, requested)
    assert told.change_class == requested
    assert told.reasons == (f"requested: {requested}", classes.NO_CONTENT)


def test_declared_streams_count_without_content(change: dict[str, Any]) -> None:
    assert found({**change, "streams": ["database"]}, None).change_class == "data_impacting"


# -- streams ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(content(Changed("a/views/x.xml")), ("code",), id="code"),
        pytest.param(content(Changed("a/migrations/1/pre.py")), ("code", "database"), id="a-migration-is-a-stream-of-its-own"),
        pytest.param(content(Changed("host_vars/acme.yml")), ("code", "config"), id="declared-code-and-settings"),
        pytest.param(objects([obj("Service")], []), ("code", "config"), id="declared-code-and-objects"),
        pytest.param(content(Changed("docs/page.md")), ("code",), id="prose-is-none"),
    ],
)
def test_streams_are_seen_in_the_difference(change: dict[str, Any], given: Content, wanted: tuple[str, ...]) -> None:
    assert found(change, given).streams == wanted


def test_an_undeclared_bundle_needs_a_justification(change: dict[str, Any]) -> None:
    (told,) = classes.stream_errors(change, ["code", "database"])
    assert told.startswith("change.streams is code, and the difference holds database as well. Split the change")
    assert classes.stream_errors({**change, "bundle_justification": "the code reads the column"}, ["code", "database"]) == []
    assert classes.stream_errors(change, ["code"]) == []


# -- objects ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "wanted", "groups", "impact"),
    [
        pytest.param(objects([obj("Service", port=1)], [obj("Service", port=1)]), "standard", (), (), id="no-difference"),
        pytest.param(objects([obj("Service", port=1)], [obj("Service", port=2)]), "standard", (), ("acme",), id="own-object"),
        pytest.param(objects([], [obj("IngressRoute")]), "standard", ("ingress",), ("acme",), id="own-route"),
        pytest.param(objects([obj("Middleware", "limit", "traefik")], []), "normal", ("ingress",), ("acme", "bravo", "delta"), id="shared"),
        pytest.param(objects([], [obj("Node", "n1", None)]), "normal", (), ("acme", "bravo", "delta"), id="node"),
        pytest.param(objects([], [obj("NetworkPolicy")]), "normal", (), ("acme",), id="network-policy"),
        pytest.param(objects([], [obj("PostgresCluster", "shared", "pg")]), "normal", (), ("acme", "bravo"), id="cluster-parameter"),
        pytest.param(objects([], ["no object", {"kind": "List"}]), "standard", (), (), id="no-objects"),
    ],
)
def test_objects(change: dict[str, Any], given: Content, wanted: str, groups: tuple[str, ...], impact: tuple[str, ...]) -> None:
    told = found(change, given)
    assert (told.change_class, told.groups, told.impact) == (wanted, groups, impact)


def test_an_object_that_moved_to_another_file_is_no_difference(change: dict[str, Any]) -> None:
    moved = content(Changed("a.yml", objects=([obj("Middleware")], [])), Changed("b.yml", objects=([], [obj("Middleware")])))
    assert found(change, moved).groups == ()


def test_a_shared_object_says_how_many_are_behind_it(change: dict[str, Any]) -> None:
    reasons = found(change, objects([], [obj("Middleware", "limit", "traefik")])).reasons
    assert "normal: an object that tenants share (Middleware traefik/limit, with 3 tenants behind it)" in reasons


# -- patterns --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "pattern", "wanted"),
    [
        ("addons/account_x/a.py", "account*", True),
        ("account", "account*", True),
        ("addons/my_account/a.py", "account*", False),
        ("a/migrations/1/pre.py", "migrations/*", True),
        ("a/migrations", "migrations/*", False),
        ("", "x", False),
    ],
)
def test_path_matches(path: str, pattern: str, wanted: bool) -> None:
    assert classes.path_matches(path, pattern) is wanted


@pytest.mark.parametrize(
    ("path", "pattern", "wanted"),
    [
        ("a/views/x.xml", "views/*.xml", True),
        ("a/views/x.xml/evil.py", "views/*.xml", False),
        ("a/views/sub/x.xml", "views/*.xml", False),
        ("a/static/x.js", "static/**/*.js", True),
        ("a/static/src/deep/x.js", "static/**/*.js", True),
        ("a/nostatic/x.js", "static/**/*.js", False),
        ("odoo/addons/base/models/x.py", "odoo/**", True),
        ("a/readme.mdx", "README.*", False),
        ("a/b", "", False),
    ],
)
def test_path_within(path: str, pattern: str, wanted: bool) -> None:
    assert classes.path_within(path, pattern) is wanted


PATHS = ["a/views/x.xml", "account_x/a.py", "a/migrations/1/pre.py", "x_connector/a.py", "host_vars/acme.yml", "a.sql"]
paths = st.integers(0, 2 ** len(PATHS) - 1).map(lambda bits: [path for n, path in enumerate(PATHS) if bits >> n & 1])


@given(paths, paths, st.sampled_from(policy.CLASSES))
def test_more_difference_never_lowers(some: list[str], more: list[str], requested: str) -> None:
    change = {"class": requested, "streams": ["code"], "release": {"modules": []}}
    few = found(change, content(*map(Changed, some)), requested)
    many = found(change, content(*map(Changed, dict.fromkeys([*some, *more]))), requested)
    assert policy.rank(many.change_class) >= policy.rank(few.change_class) >= policy.rank(requested)
    assert set(few.streams) <= set(many.streams)
    assert set(few.impact) <= set(many.impact)
    assert set(few.transactions) <= set(many.transactions)


@pytest.mark.parametrize(
    ("modules", "paths", "wanted"),
    [
        pytest.param([], ["a/models/x.py"], (), id="nothing-of-theirs"),
        pytest.param([], ["account_x/models/x.py"], ("invoice",), id="a-file-of-accounting"),
        pytest.param([], ["hr_timesheet_x/a.py", "account_x/a.py"], ("invoice", "timesheet"), id="both"),
        pytest.param(["acme_billing"], None, ("invoice",), id="the-name-of-a-module-without-content"),
        pytest.param(["acme_screens"], None, (), id="another-name"),
    ],
)
def test_what_must_prove_the_change(change: dict[str, Any], modules: list[str], paths: list[str] | None, wanted: tuple[str, ...]) -> None:
    change["release"]["modules"] = modules
    given = None if paths is None else content(*map(Changed, paths))
    assert classes.classify(change, given, rules=read_policy()["rules"]).transactions == wanted
