"""What the steps of the pipelines need of Lake Formation, for the caller and for the Glue jobs' roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etltctl.aws import Identity
from etltctl.governance.access import TableView, holds
from etltctl.governance.actual import Reading
from etltctl.governance.desired import is_same_principal, resource_of
from etltctl.governance.model import EVERYBODY, Resource, State

if TYPE_CHECKING:
    from etltctl.settings import Settings

CODE = "E203"


@dataclass(frozen=True)
class Need:
    """A permission that a step needs: whose, which, on a table (`layer.table`) or the layer's database, and why."""

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
        """The finding's code, for searching the docs."""
        return CODE

    def __str__(self) -> str:
        need = self.need
        return f"{need.principal} lacks {need.permission} on {self.resource} ({CODE}): {need.step} {need.why}"

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        need = self.need
        return {
            "code": CODE, "step": need.step, "principal": need.principal, "needs": need.permission,
            "resource": self.resource, "why": need.why,
        }  # fmt: skip


def needs_of_step(
    settings: Settings, identity: Identity, step: str, tables: Iterable[str] = ()
) -> Iterator[Need]:
    """What the step needs: a job's role reads whole tables, the caller publishes; `tables` are those to refresh."""
    kind, _, name = step.partition(":")
    caller = identity.principal
    if kind == "glue":
        job = settings.glue.jobs[name]
        role = job.role if job.role.startswith("arn:") else identity.arn_of(f"role:{job.role}")
        for table in job.reads:
            yield Need(step, role, "SELECT", table, "reads the whole table")
        for table in job.writes:
            yield Need(step, caller, "ALTER", table, "publishes it")
    elif kind == "athena":
        for table in tables:
            yield Need(step, caller, "ALTER", table, "brings it up to date")


def all_needs(settings: Settings, identity: Identity) -> list[Need]:
    """What every step of every pipeline needs."""
    steps = {step for pipeline in settings.pipelines.values() for step in pipeline.steps}
    return [need for step in sorted(steps) for need in needs_of_step(settings, identity, step)]


def lacking(settings: Settings, identity: Identity, desired: State, reading: Reading) -> Iterator[Finding]:
    """What the pipelines' principals would lack once the state is as desired."""
    kept = frozenset(grant for grant in reading.state.grants if not reading.scope.may_revoke(grant))
    after = replace(desired, grants=desired.grants | kept | reading.beside)
    admins = (desired.admins or reading.state.admins) or frozenset()
    needs = all_needs(settings, identity)
    yield from lacking_of(needs, settings, after, reading.catalog.tables, admins, reading.scope.hybrid)


def lacking_of(
    needs: Iterable[Need],
    settings: Settings,
    state: State,
    tables: Mapping[Resource, TableView],
    admins: frozenset[str],
    hybrid: frozenset[str] = frozenset(),
) -> Iterator[Finding]:
    """The needs that the state does not meet: administrators see all metadata, whoever made a table may do all."""
    for need in needs:
        layer = need.table.partition(".")[0]
        if layer not in settings.governance.layers:
            continue
        resource = resource_of(need.table, settings)
        if resource.database in hybrid and not _is_opted_in(need.principal, resource, state):
            continue
        is_admin = any(is_same_principal(name, need.principal) for name in admins)
        table = tables.get(resource)
        if is_admin and need.permission != "SELECT":
            continue
        if table is None:
            if need.permission == "ALTER" and not holds(
                state, need.principal, "CREATE_TABLE", resource.database
            ):
                needed = replace(need, permission="CREATE_TABLE")
                yield Finding(needed, f"database {resource.database}")
            continue
        is_creator = bool(table.creator) and is_same_principal(table.creator, need.principal)
        if not is_creator and not holds(state, need.principal, need.permission, table):
            yield Finding(need, ".".join(resource.key))


def _is_opted_in(principal: str, resource: Resource, state: State) -> bool:
    return any(
        item.principal in {principal, EVERYBODY} and item.resource.key in {resource.key, resource.key[:1]}
        for item in state.opt_ins
    )
