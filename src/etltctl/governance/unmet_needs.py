"""Permissions of Lake Formation that are needed and that a state does not give: the present one, or a planned one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etltctl.errors import NextStep, command
from etltctl.governance.access import TableView, holds
from etltctl.governance.actual import Reading
from etltctl.governance.desired import is_same_principal, location_arn, resource_of
from etltctl.governance.model import EVERYBODY, Resource, State, database_of
from etltctl.governance.needs import LOCATION_ACCESS, Need
from etltctl.places import Places
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.settings import Settings

CODE = "E203"


@dataclass(frozen=True)
class MissingPermission:
    """A permission that is needed and not held, and the resource as Lake Formation names it."""

    need: Need
    resource: str

    @property
    def code(self) -> str:
        """The code, to search the docs with."""
        return CODE

    def fix(self, settings: Settings) -> NextStep:
        """Return how to grant the permission."""
        if TableName.parse(self.need.table).layer in settings.governance.layers:
            return NextStep("add it to governance.grants, then: ", command("govern", "apply"))
        return NextStep(
            f"aws lakeformation grant-permissions --principal DataLakePrincipalIdentifier={self.need.principal} "
            f"--permissions {self.need.permission} --resource "
            f'\'{{"DataLocation": {{"ResourceArn": "{self.resource.removeprefix("location ")}"}}}}\''
        )

    def __str__(self) -> str:
        need = self.need
        return f"{need.principal} lacks {need.permission} on {self.resource} ({CODE}): {need.step} {need.why}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, as printed by `-o json`."""
        need = self.need
        return {
            "code": CODE, "step": need.step, "principal": need.principal, "needs": need.permission,
            "resource": self.resource, "why": need.why,
        }  # fmt: skip


def missing_after(
    needs: Iterable[Need], settings: Settings, desired: State, reading: Reading
) -> Iterator[MissingPermission]:
    """Yield the needs that are not met once the state is as desired.

    Args:
        needs: What is needed.
        settings: The settings.
        desired: What the settings say.
        reading: What Lake Formation holds. What the plan may not revoke stays, and counts.
    """
    # A grant that the plan may not revoke is still in force after it, and may be what meets a need.
    kept = frozenset(grant for grant in reading.state.grants if not reading.scope.may_revoke(grant))
    after = replace(
        desired,
        grants=desired.grants | kept | reading.unmanaged,
        locations={**reading.state.locations, **desired.locations},
    )
    # Settings without administrators leave those of the account as they are.
    admins = (desired.admins or reading.state.admins) or frozenset()
    yield from missing_in(needs, settings, after, reading.catalog.tables, admins)


def missing_in(
    needs: Iterable[Need],
    settings: Settings,
    state: State,
    tables: Mapping[Resource, TableView],
    admins: frozenset[str],
) -> Iterator[MissingPermission]:
    """Yield the needs that the state does not meet, each permission on a resource once a step.

    An administrator may make tables point to every location. The creator of a table holds every permission on it.

    Args:
        needs: What is needed.
        settings: The settings.
        state: What Lake Formation holds.
        tables: The tables of the catalog.
        admins: The data lake administrators.
    """
    reported = set()
    for need in needs:
        is_admin = any(is_same_principal(name, need.principal) for name in admins)
        if need.permission == LOCATION_ACCESS:
            missing = None if is_admin else _missing_location(need, settings, state)
        elif TableName.parse(need.table).layer in settings.governance.layers:
            missing = _missing_permission(need, settings, state, tables)
        else:
            missing = None
        if missing is None:
            continue
        key = (missing.need.step, missing.need.principal, missing.need.permission, missing.resource)
        if key not in reported:
            reported.add(key)
            yield missing


def _missing_location(need: Need, settings: Settings, state: State) -> MissingPermission | None:
    """Return what is missing if the table's place is registered and the caller may not make the catalog point to it.

    Hybrid mode and opt-ins make no difference here (Lake Formation's developer guide, "Hybrid access mode
    considerations and limitations", API behaviors).
    """
    place = location_arn(Places(settings).of(need.table))
    registered = [arn for arn in state.locations if is_within(place, arn)]
    if not registered:
        return None
    is_granted = any(
        grant.principal == need.principal
        and grant.permission == LOCATION_ACCESS
        and not grant.grantable
        and is_within(place, grant.resource.key[0])
        for grant in state.grants
        if grant.resource.kind == "location"
    )
    return None if is_granted else MissingPermission(need, f"location {max(registered, key=len)}")


def _missing_permission(
    need: Need, settings: Settings, state: State, tables: Mapping[Resource, TableView]
) -> MissingPermission | None:
    """Return what is missing if the caller lacks a permission on a table, or on the database of one that is not there.

    What IAM_ALLOWED_PRINCIPALS holds is enough, unless the caller opted in. That holds in hybrid zones too: where that
    group holds nothing, Lake Formation decides.
    """
    resource = resource_of(need.table, settings)
    table = tables.get(resource)
    # The first publish of a table creates it, which is a permission on the database.
    if need.permission == "ALTER" and table is None:
        need = replace(need, permission="CREATE_TABLE")
    is_on_database = need.permission == "CREATE_TABLE"
    about = database_of(resource.database) if is_on_database else resource
    if _is_opted_in(need.principal, about, state):
        own = frozenset(grant for grant in state.grants if grant.principal != EVERYBODY)
        state = replace(state, grants=own)
    if is_on_database:
        if holds(state, need.principal, need.permission, resource.database):
            return None
        return MissingPermission(need, f"database {resource.database}")
    # A table that does not exist yet belongs to its creator as soon as it does.
    if table is None:
        return None
    is_maker = bool(table.creator) and is_same_principal(table.creator, need.principal)
    if is_maker or holds(state, need.principal, need.permission, table):
        return None
    return MissingPermission(need, ".".join(resource.key))


def is_within(arn: str, place: str) -> bool:
    """Return whether the ARN of an S3 location is the place or lies in it."""
    return f"{arn.rstrip('/')}/".startswith(f"{place.rstrip('/')}/")


def _is_opted_in(principal: str, resource: Resource, state: State) -> bool:
    return any(
        item.principal in {principal, EVERYBODY} and item.resource.key in {resource.key, resource.key[:1]}
        for item in state.opt_ins
    )
