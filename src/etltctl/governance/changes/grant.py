"""Permissions that are granted and revoked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from etltctl.governance.changes.change import Change, Phase
from etltctl.governance.model import ALL_TABLES, EVERYBODY, Grant, Resource, Scope, State
from etltctl.governance.shapes import Entry
from etltctl.governance.writer import Writer

Names = tuple[str, ...]
# A revoke of what IAM_ALLOWED_PRINCIPALS holds closes the lake for all who come by IAM alone. By then everything that
# is to open it for them must be there.
BEFORE_EVERYBODY_LOSES = frozenset({Phase.ASSIGN, Phase.FILTERS, Phase.GRANTS, Phase.OPT_INS, Phase.OPT_OUTS})


@dataclass(frozen=True)
class PermissionChange(Change):
    """Permissions of one principal on one resource, or on several columns of one table.

    `permissions` are moved themselves, `grantable` are those whose grant option is moved.
    """

    grantee: str
    about: tuple[Resource, ...]
    permissions: Names
    grantable: Names = ()
    is_batched: ClassVar[bool] = True

    @property
    @abstractmethod
    def preposition(self) -> str:
        """What stands between the resource and the principal in a sentence."""

    @property
    def principal(self) -> str:
        """The grantee; a grant to IAM_ALLOWED_PRINCIPALS is one to every principal."""
        return "" if self.grantee == EVERYBODY else self.grantee

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What the permissions are on."""
        return self.about

    @property
    def text(self) -> str:
        """The permissions, the resource and the principal."""
        names = [f"{name} (grantable)" if name in self.grantable else name for name in self.permissions]
        names += [f"the grant option of {name}" for name in self.grantable if name not in self.permissions]
        return f"{', '.join(names)} on {_joined(self.about)} {self.preposition} {self.grantee}"

    @property
    def rows(self) -> frozenset[Grant]:
        """The same in canonical form."""
        plain = {Grant(self.grantee, resource, name) for resource in self.about for name in self.permissions}
        options = {
            Grant(self.grantee, resource, name, True) for resource in self.about for name in self.grantable
        }
        return frozenset(plain | options)

    def touches(self, thing: Resource) -> bool:
        """Return whether a grant on one of the resources may open something of the thing."""
        return any(_may_open(resource, thing) for resource in self.about)


class GrantPermissions(PermissionChange):
    """Permissions that are granted."""

    phase = Phase.GRANTS
    sign = "+"
    preposition = "to"

    def waits_for(self, other: Change) -> bool:
        """Return whether the other change makes the filter that this one grants."""
        is_new_filter = other.phase is Phase.FILTERS and other.sign == "+"
        return is_new_filter and not set(other.resources).isdisjoint(self.about)

    def simulate(self, state: State) -> State:
        """Return the state with the permissions. A grant option comes with the permission itself."""
        # The service never gives the option without the permission.
        plain = {replace(row, grantable=False) for row in self.rows}
        return replace(state, grants=state.grants | self.rows | plain)

    def apply(self, writer: Writer) -> None:
        """Gather the grant."""
        permissions = tuple(sorted({*self.permissions, *self.grantable}))
        writer.grant(Entry(self.grantee, self.about, permissions, self.grantable))


class RevokePermissions(PermissionChange):
    """Permissions that are revoked."""

    phase = Phase.REVOKES
    sign = "-"
    preposition = "from"

    def waits_for(self, other: Change) -> bool:
        """Return whether the other change must be made first.

        A principal that opts out has IAM's access again, so it opts out before its grants go.
        """
        if self.grantee == EVERYBODY:
            return other.phase in BEFORE_EVERYBODY_LOSES
        return other.phase is Phase.OPT_OUTS and other.principal == self.grantee

    def simulate(self, state: State) -> State:
        """Return the state without the permissions."""
        return replace(state, grants=state.grants - self.rows)

    def apply(self, writer: Writer) -> None:
        """Gather the revoke."""
        writer.revoke(Entry(self.grantee, self.about, self.permissions, self.grantable))


def revocable(desired: State, actual: State, scope: Scope) -> frozenset[Grant]:
    """Return the grants that are held and not desired, but for those within an ALL that is desired."""
    return frozenset(
        grant
        for grant in actual.grants - desired.grants
        if scope.may_revoke(grant) and replace(grant, permission="ALL") not in desired.grants
    )


def missing(desired: State, actual: State, revoked: frozenset[Grant]) -> frozenset[Grant]:
    """Return the grants that are desired and not held, but for those within an ALL that stays."""
    staying = actual.grants - revoked
    return frozenset(
        grant for grant in desired.grants - actual.grants if replace(grant, permission="ALL") not in staying
    )


def granted(rows: Iterable[Grant]) -> Iterator[GrantPermissions]:
    """Yield the grants of these rows, one for each principal and resource."""
    for grantee, about, permissions, grantable in _gathered(rows):
        yield GrantPermissions(grantee, about, permissions, grantable)


def revoked(rows: Iterable[Grant]) -> Iterator[RevokePermissions]:
    """Yield the revokes of these rows, one for each principal and resource."""
    for grantee, about, permissions, grantable in _gathered(rows):
        yield RevokePermissions(grantee, about, permissions, grantable)


def _gathered(rows: Iterable[Grant]) -> Iterator[tuple[str, tuple[Resource, ...], Names, Names]]:
    """Yield principal, resources, permissions and grant options; columns of a table with the same ones together."""
    by_resource: dict[tuple[str, Resource], tuple[set[str], set[str]]] = {}
    for row in rows:
        plain, options = by_resource.setdefault((row.principal, row.resource), (set(), set()))
        (options if row.grantable else plain).add(row.permission)
    alike: dict[tuple[str, Resource, Names, Names], list[Resource]] = {}
    for (principal, resource), (plain, options) in sorted(by_resource.items()):
        # The service takes several columns of a table in one entry, and lists them one by one.
        same = Resource("column", resource.key[:2]) if resource.kind == "column" else resource
        key = (principal, same, tuple(sorted(plain)), tuple(sorted(options)))
        alike.setdefault(key, []).append(resource)
    for (principal, _, permissions, grantable), resources in alike.items():
        yield principal, tuple(resources), permissions, grantable


def _joined(resources: tuple[Resource, ...]) -> str:
    if len(resources) == 1:
        return str(resources[0])
    columns = ", ".join(resource.key[2] for resource in resources)
    return f"{'.'.join(resources[0].key[:2])} columns {columns}"


def _may_open(resource: Resource, thing: Resource) -> bool:
    if resource.kind in {"tables", "databases"}:
        return True  # by LF-tags, which any thing may have or get
    if resource.database != thing.database or len(thing.key) == 1 or len(resource.key) == 1:
        return resource == thing
    return resource.key[1] in {thing.key[1], ALL_TABLES}
