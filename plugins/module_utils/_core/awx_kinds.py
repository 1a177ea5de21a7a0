# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The objects of AWX that are kept as code: their fields, what they refer to, and the order in which they can be made.

Names are those of AWX's API (24.6.1). AWX ignores a field that it does not know; here such a field is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NOTIFICATIONS = ("started", "success", "error")
# Where a node's or a schedule's unified_job_template is looked for, in this order.
TEMPLATES = ("job_templates", "workflow_job_templates", "projects", "inventory_sources")
EDGES = ("success_nodes", "failure_nodes", "always_nodes")


@dataclass(frozen=True)
class Kind:
    """One collection of the API.

    ``refs`` and ``links`` lead to the endpoint that they name an object of; a ref is a field that holds an id, a link an
    association with an endpoint of its own. ``scope`` are the refs within which a name is unique. ``lookup_only`` is a ref
    that AWX derives by itself. ``texts`` are mappings that the API carries as JSON text, ``completed`` those to which AWX
    adds keys of its own, so that only the wanted keys are compared. Values below ``hidden`` are never shown.
    """

    endpoint: str
    fields: tuple[str, ...]
    required: tuple[str, ...] = ()
    refs: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    scope: tuple[str, ...] = ()
    lookup_only: str = ""
    texts: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    survey: bool = False
    nodes: bool = False

    @property
    def keys(self) -> set[str]:
        """Every key that a wanted object may have."""
        extra = {"survey_spec"} if self.survey else set()
        return {"name", *self.fields, *self.refs, *self.links, *extra, *({"workflow_nodes"} if self.nodes else set())}


def _notified(*more: str) -> dict[str, str]:
    return {f"notification_templates_{event}": "notification_templates" for event in (*NOTIFICATIONS, *more)}


def _asked(*names: str) -> tuple[str, ...]:
    return tuple(f"ask_{name}_on_launch" for name in names)


_KINDS = (
    Kind(
        "organizations",
        ("description", "max_hosts"),
        links={"galaxy_credentials": "credentials", **_notified("approvals")},
    ),
    Kind(
        "credential_types",
        ("description", "kind", "inputs", "injectors"),
        required=("kind", "inputs"),
        completed=("inputs",),
    ),
    Kind(
        "credentials",
        ("description", "inputs"),
        required=("credential_type", "organization"),
        refs={"organization": "organizations", "credential_type": "credential_types"},
        scope=("organization", "credential_type"),
        completed=("inputs",),
        hidden=("inputs",),
    ),
    Kind(
        "execution_environments",
        ("description", "image", "pull"),
        required=("image",),
        refs={"organization": "organizations", "credential": "credentials"},
    ),
    Kind(
        "notification_templates",
        ("description", "notification_type", "notification_configuration", "messages"),
        required=("organization", "notification_type", "notification_configuration"),
        refs={"organization": "organizations"},
        scope=("organization",),
        completed=("notification_configuration", "messages"),
        hidden=("notification_configuration",),
    ),
    Kind(
        "projects",
        (
            "description",
            "scm_type",
            "scm_url",
            "scm_branch",
            "scm_refspec",
            "scm_clean",
            "scm_track_submodules",
            "scm_delete_on_update",
            "scm_update_on_launch",
            "scm_update_cache_timeout",
            "allow_override",
            "timeout",
        ),
        required=("organization", "scm_type", "scm_url"),
        refs={"organization": "organizations", "credential": "credentials", "default_environment": "execution_environments"},
        links=_notified(),
        scope=("organization",),
    ),
    Kind(
        "inventories",
        ("description", "variables", "prevent_instance_group_fallback"),
        required=("organization",),
        refs={"organization": "organizations"},
        scope=("organization",),
        texts=("variables",),
    ),
    Kind(
        "inventory_sources",
        (
            "description",
            "source",
            "source_path",
            "source_vars",
            "scm_branch",
            "overwrite",
            "overwrite_vars",
            "update_on_launch",
            "update_cache_timeout",
            "timeout",
            "verbosity",
            "limit",
        ),
        required=("inventory", "source"),
        refs={
            "inventory": "inventories",
            "source_project": "projects",
            "credential": "credentials",
            "execution_environment": "execution_environments",
        },
        links=_notified(),
        scope=("inventory",),
        texts=("source_vars",),
    ),
    Kind(
        "job_templates",
        (
            "description",
            "job_type",
            "playbook",
            "scm_branch",
            "forks",
            "limit",
            "verbosity",
            "extra_vars",
            "job_tags",
            "skip_tags",
            "timeout",
            "diff_mode",
            "use_fact_cache",
            "become_enabled",
            "allow_simultaneous",
            "job_slice_count",
            "survey_enabled",
            *_asked("variables", "limit", "job_type", "diff_mode", "inventory", "scm_branch", "credential", "verbosity"),
        ),
        required=("organization", "project", "playbook", "job_type"),
        refs={
            "organization": "organizations",
            "inventory": "inventories",
            "project": "projects",
            "execution_environment": "execution_environments",
        },
        links={"credentials": "credentials", **_notified()},
        scope=("organization",),
        lookup_only="organization",
        texts=("extra_vars",),
        survey=True,
    ),
    Kind(
        "workflow_job_templates",
        (
            "description",
            "extra_vars",
            "limit",
            "scm_branch",
            "allow_simultaneous",
            "survey_enabled",
            *_asked("variables", "limit", "inventory", "scm_branch"),
        ),
        required=("organization", "workflow_nodes"),
        refs={"organization": "organizations", "inventory": "inventories"},
        links=_notified("approvals"),
        scope=("organization",),
        texts=("extra_vars",),
        survey=True,
        nodes=True,
    ),
    Kind(
        "schedules",
        ("description", "rrule", "enabled", "extra_data"),
        required=("rrule", "unified_job_template"),
        refs={"unified_job_template": "unified_job_templates"},
        scope=("unified_job_template",),
    ),
)
# In the order in which they can be made: what others need comes first.
KINDS: dict[str, Kind] = {kind.endpoint: kind for kind in _KINDS}
