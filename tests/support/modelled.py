"""Lake Formation as a model in memory that takes one change at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from etltctl.governance.changes import (
    AddOptIn,
    AddTagValues,
    AssignTags,
    Change,
    DropFilter,
    DropOptIn,
    DropTagValues,
    GovernNewTables,
    GrantPermissions,
    PutFilter,
    RegisterLocation,
    RevokePermissions,
    SetIamDefaults,
    SetSourceIdentity,
    UnassignTags,
)
from etltctl.governance.model import (
    Grant,
    State,
    effective_tags,
    without_inherited,
)
from support.random_states import canonical, columns, databases, scope_of, tables


class Service:
    """The service: it keeps grants as granted and lists ALL folded; it shows tags with inheritance.

    `revokes_all` is a service in which revoking ALL takes the permissions away that were granted next to it.
    """

    def __init__(self, state: State, *, revokes_all: bool = False) -> None:
        self.scope = scope_of(state)
        self.grants = set(state.grants)
        self.assigned = {resource: dict(tags) for resource, tags in state.assigned.items()}
        self.filters = dict(state.filters)
        self.opt_ins = set(state.opt_ins)
        self.tags = dict(state.tags)
        self.locations = dict(state.locations)
        self.open = set(state.open_databases)
        self.settings: dict[str, Any] = {
            "admins": state.admins, "iam_defaults": state.iam_defaults, "source_identity": state.source_identity,
        }  # fmt: skip
        self.revokes_all = revokes_all

    @property
    def state(self) -> State:
        """Return what a reader sees: effective tags in canonical form, ALL folded."""
        everything = {*self.assigned, *columns, *tables, *databases}
        shown = {resource: effective_tags(self.assigned, resource) for resource in everything}
        return State(
            **self.settings, open_databases=frozenset(self.open), locations=dict(self.locations), tags=dict(self.tags),
            assigned=without_inherited(shown), filters=dict(self.filters), grants=canonical(frozenset(self.grants)),
            opt_ins=frozenset(self.opt_ins),
        )  # fmt: skip

    def holds(self, row: Grant) -> bool:
        return row in self.grants or replace(row, permission="ALL") in self.grants

    def make(self, change: Change, see: Callable[[], None]) -> None:
        """Make one change and observe the state after it."""
        match change:
            case GrantPermissions() | RevokePermissions():
                self._move(change)
            case AddTagValues() | DropTagValues() | AssignTags() | UnassignTags():
                self._tag(change)
            case _:
                self._set(change)
        see()

    def _tag(self, change: Change) -> None:
        match change:
            case AddTagValues(key, values):
                self.tags[key] = self.tags.get(key, frozenset()) | set(values)
            case DropTagValues(key, values):
                self.tags[key] = self.tags[key] - set(values)
            case AssignTags(resource, pairs):
                assert all(value in self.tags[key] for key, value in pairs)
                self.assigned.setdefault(resource, {}).update(pairs)
            case UnassignTags(resource, pairs):
                for key, _ in pairs:
                    self.assigned.get(resource, {}).pop(key, None)

    def _set(self, change: Change) -> None:
        match change:
            case GovernNewTables(database):
                self.open.discard(database)
            case SetIamDefaults(is_open):
                self.settings["iam_defaults"] = is_open
            case SetSourceIdentity(is_named):
                self.settings["source_identity"] = is_named
            case RegisterLocation(arn, location):
                self.locations[arn] = location
            case PutFilter(resource, row_filter):
                self.filters[resource] = row_filter
            case DropFilter(resource):
                assert not any(row.resource == resource for row in self.grants), "a filter that is granted"
                del self.filters[resource]
            case AddOptIn(opt_in):
                self.opt_ins.add(opt_in)
            case DropOptIn(opt_in):
                self.opt_ins.remove(opt_in)
            case _:
                raise AssertionError(f"the model does not know {change}")

    def _move(self, change: GrantPermissions | RevokePermissions) -> None:
        about = [(change.grantee, resource) for resource in change.about]
        rows = {Grant(*each, name) for each in about for name in change.permissions}
        rows |= {Grant(*each, name, True) for each in about for name in change.grantable}
        if isinstance(change, GrantPermissions):
            self.grants |= rows | {replace(row, grantable=False) for row in rows}
            return
        self.grants -= rows
        if self.revokes_all:
            revoked = {(row.resource, row.grantable) for row in rows if row.permission == "ALL"}
            self.grants = {
                row
                for row in self.grants
                if row.principal != change.grantee or (row.resource, row.grantable) not in revoked
            }
