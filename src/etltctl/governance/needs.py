"""The permissions of Lake Formation that the caller needs to carry out the steps of the pipelines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etltctl.aws import Identity
from etltctl.errors import NextStep, command
from etltctl.governance.access import TableView, holds
from etltctl.governance.actual import Reading
from etltctl.governance.desired import is_same_principal, location_arn, resource_of
from etltctl.governance.model import EVERYBODY, Resource, State, database_of
from etltctl.places import Places
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.settings import Settings

CODE = "E203"
LOCATION_ACCESS = "DATA_LOCATION_ACCESS"


@dataclass(frozen=True)
class Need:
    """A permission that a step needs, and why.

    `table` is `layer.table`. CREATE_TABLE is needed on its database, DATA_LOCATION_ACCESS on the location of its files,
    every other permission on the table itself.
    """

    step: str
    principal: str
    permission: str
    table: str
    why: str


@dataclass(frozen=True)
class Finding:
    """A permission that is needed and not held."""

    need: Need
    resource: str

    @property
    def code(self) -> str:
        """The finding's code, to search the docs with."""
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


def needs_of_step(
    settings: Settings, identity: Identity, step: str, tables: Iterable[str] = ()
) -> Iterator[Need]:
    """Yield what the caller needs to carry out the step.

    A Glue job needs nothing here: it reads and writes S3 paths with its role's own rights, and Lake Formation is not
    asked.

    Args:
        settings: The settings.
        identity: The caller.
        step: The step, such as `glue:silver_to_gold`.
        tables: The tables that a refresh brings in line.
    """
    kind, _, name = step.partition(":")
    if kind == "glue":
        yield from _publishing(settings, identity.principal, step, settings.glue.jobs[name].writes)
    elif kind == "athena":
        for table in tables:
            yield from _pointing(identity.principal, step, table, "brings it up to date")


def _publishing(settings: Settings, caller: str, step: str, writes: Sequence[str]) -> Iterator[Need]:
    """Yield what a publish of the tables needs, with the tables that stand for the versions under audit."""
    for table in writes:
        yield from _pointing(caller, step, table, "publishes it")
    asking = [table for table in writes if settings.rules(table).needs_query]
    named = {table: settings.rules(table).named_tables for table in asking}
    for table in writes:
        if table in asking or any(table in names for names in named.values()):
            yield Need(step, caller, "CREATE_TABLE", table, f"checks a new version of {table} there")
    for table, names in named.items():
        for other in sorted(names - set(writes)):
            yield Need(step, caller, "SELECT", other, f"reads it to check {table}")


def _pointing(caller: str, step: str, table: str, why: str) -> Iterator[Need]:
    """Yield what it takes to make the catalog point to another place of the table."""
    yield Need(step, caller, "ALTER", table, why)
    yield Need(step, caller, LOCATION_ACCESS, table, f"{why.replace(' it', f' {table}')} from there")


def all_needs(settings: Settings, identity: Identity) -> list[Need]:
    """Return what every step of every pipeline needs."""
    tables: dict[str, dict[str, None]] = {}
    for pipeline in settings.pipelines.values():
        for step in pipeline.steps:
            tables.setdefault(step, {}).update(dict.fromkeys(_refreshed(settings, pipeline.steps)))
    return [need for step in sorted(tables) for need in needs_of_step(settings, identity, step, tables[step])]


def _refreshed(settings: Settings, steps: Iterable[str]) -> Iterator[str]:
    """Yield the tables that a refresh of the pipeline with these steps brings in line."""
    for step in steps:
        kind, _, name = step.partition(":")
        if kind == "sync":
            yield from (f"bronze.{table}" for table in settings.stream_locations(name))
        elif kind == "glue":
            yield from settings.glue.jobs[name].writes


def lacking(settings: Settings, identity: Identity, desired: State, reading: Reading) -> Iterator[Finding]:
    """Yield what the caller would lack once the state is as desired."""
    kept = frozenset(grant for grant in reading.state.grants if not reading.scope.may_revoke(grant))
    after = replace(
        desired,
        grants=desired.grants | kept | reading.unmanaged,
        locations={**reading.state.locations, **desired.locations},
    )
    admins = (desired.admins or reading.state.admins) or frozenset()
    needs = all_needs(settings, identity)
    yield from lacking_of(needs, settings, after, reading.catalog.tables, admins)


def lacking_of(
    needs: Iterable[Need],
    settings: Settings,
    state: State,
    tables: Mapping[Resource, TableView],
    admins: frozenset[str],
) -> Iterator[Finding]:
    """Yield the needs that the state does not meet, each permission on a resource once a step.

    An administrator may create tables, and make tables point to every location. The maker of a table holds every
    permission on it.

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
            finding = None if is_admin else _lacking_location(need, settings, state)
        elif TableName.parse(need.table).layer in settings.governance.layers:
            finding = _lacking_permission(need, settings, state, tables, is_admin=is_admin)
        else:
            finding = None
        if finding is None:
            continue
        key = (finding.need.step, finding.need.principal, finding.need.permission, finding.resource)
        if key not in reported:
            reported.add(key)
            yield finding


def _lacking_location(need: Need, settings: Settings, state: State) -> Finding | None:
    """Return a finding if the table's place is registered and the caller may not make the catalog point to it.

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
    return None if is_granted else Finding(need, f"location {max(registered, key=len)}")


def _lacking_permission(
    need: Need,
    settings: Settings,
    state: State,
    tables: Mapping[Resource, TableView],
    *,
    is_admin: bool,
) -> Finding | None:
    """Return a finding if the caller lacks a permission on a table, or on the database of one that is not there.

    What IAM_ALLOWED_PRINCIPALS holds is enough, unless the caller opted in. That holds in hybrid zones too: where that
    group holds nothing, Lake Formation decides.
    """
    resource = resource_of(need.table, settings)
    table = tables.get(resource)
    if need.permission == "ALTER" and table is None:
        need = replace(need, permission="CREATE_TABLE")
    is_on_database = need.permission == "CREATE_TABLE"
    about = database_of(resource.database) if is_on_database else resource
    if _is_opted_in(need.principal, about, state):
        own = frozenset(grant for grant in state.grants if grant.principal != EVERYBODY)
        state = replace(state, grants=own)
    if is_on_database:
        if is_admin or holds(state, need.principal, need.permission, resource.database):
            return None
        return Finding(need, f"database {resource.database}")
    if table is None:
        return None
    is_maker = bool(table.creator) and is_same_principal(table.creator, need.principal)
    if is_maker or holds(state, need.principal, need.permission, table):
        return None
    return Finding(need, ".".join(resource.key))


def is_within(arn: str, place: str) -> bool:
    """Return whether the ARN of an S3 location is the place or lies in it."""
    return f"{arn.rstrip('/')}/".startswith(f"{place.rstrip('/')}/")


def _is_opted_in(principal: str, resource: Resource, state: State) -> bool:
    return any(
        item.principal in {principal, EVERYBODY} and item.resource.key in {resource.key, resource.key[:1]}
        for item in state.opt_ins
    )
