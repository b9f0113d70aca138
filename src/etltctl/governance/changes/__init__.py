"""The changes of Lake Formation: a module for each kind, and the difference of two states as changes."""

from __future__ import annotations

from etltctl.governance.changes.change import Change, Phase
from etltctl.governance.changes.filter import DropFilter, PutFilter, dropped_filters, put_filters
from etltctl.governance.changes.grant import (
    GrantPermissions,
    RevokePermissions,
    granted,
    missing,
    revocable,
    revoked,
)
from etltctl.governance.changes.location import RegisterLocation, registered
from etltctl.governance.changes.opt_in import AddOptIn, DropOptIn, opted_in, opted_out
from etltctl.governance.changes.settings import (
    GovernNewTables,
    SetAdministrators,
    SetIamDefaults,
    SetSourceIdentity,
    settled,
)
from etltctl.governance.changes.tag import (
    AddTagValues,
    AssignTags,
    DropTagValues,
    UnassignTags,
    added_values,
    assigned,
    dropped_values,
    held_tags,
    unassigned,
)
from etltctl.governance.model import Scope, State

__all__ = [
    "AddOptIn",
    "AddTagValues",
    "AssignTags",
    "Change",
    "DropFilter",
    "DropOptIn",
    "DropTagValues",
    "GovernNewTables",
    "GrantPermissions",
    "Phase",
    "PutFilter",
    "RegisterLocation",
    "RevokePermissions",
    "SetAdministrators",
    "SetIamDefaults",
    "SetSourceIdentity",
    "UnassignTags",
    "difference",
]


def difference(desired: State, actual: State, scope: Scope) -> list[Change]:
    """Return every change from the actual to the desired state within the scope, by phase and not yet in order."""
    # Known first: what is granted and which filters may go depend on what stays.
    to_revoke = revocable(desired, actual, scope)
    held = held_tags(desired, actual, scope)
    return [
        *settled(desired, actual),
        *registered(desired, actual),
        *added_values(desired, actual),
        *assigned(desired, actual, held),
        *put_filters(desired, actual),
        *granted(missing(desired, actual, to_revoke)),
        *opted_in(desired, actual),
        *opted_out(desired, actual, scope),
        *revoked(to_revoke),
        *dropped_filters(desired, actual, scope, actual.grants - to_revoke),
        *unassigned(desired, actual, scope, held),
        *dropped_values(desired, actual, scope),
    ]
