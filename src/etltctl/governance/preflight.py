"""Before a step starts: have the caller and the Glue job's role what it needs? No call where nothing is governed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from etltctl.aws import Aws, Identity
from etltctl.catalog import Catalog
from etltctl.errors import AccessError
from etltctl.governance.access import TableView
from etltctl.governance.actual import administrators, permissions_of, read_opt_ins, read_tags, table_view
from etltctl.governance.desired import resource_of, scope_of
from etltctl.governance.model import EVERYBODY, Resource, State
from etltctl.governance.needs import Finding, Need, all_needs, lacking_of, needs_of_step
from etltctl.governance.shapes import grants_of
from etltctl.lakeformation import LakeFormation

if TYPE_CHECKING:
    from etltctl.settings import Settings


def preflight(settings: Settings) -> list[Finding]:
    """What the principals of the pipelines lack of what their steps need; empty if nothing is governed."""
    if not settings.governance.is_configured:
        return []
    aws = Aws.from_settings(settings)
    identity = aws.identity()
    return _lacking(all_needs(settings, identity), settings, aws, identity)


def require_access(settings: Settings, step: str, tables: Iterable[str] = ()) -> None:
    """Raises AccessError, naming principal, permission and resource, if the step could not do what it is to do.

    `tables` are those that a refresh looks at. Makes no call if nothing is governed.
    """
    if not settings.governance.is_configured:
        return
    aws = Aws.from_settings(settings)
    identity = aws.identity()
    needs = list(needs_of_step(settings, identity, step, tables))
    if found := _lacking(needs, settings, aws, identity):
        first = found[0]
        raise AccessError(
            f"{step} cannot run: {first.need.principal} lacks {first.need.permission} on {first.resource}",
            hint="add it to governance.grants, then: etltctl govern apply",
            code=first.code,
            principal=first.need.principal,
            needs=first.need.permission,
            resource=first.resource,
            also="\n".join(str(finding) for finding in found[1:]),
        )


def _lacking(needs: Sequence[Need], settings: Settings, aws: Aws, identity: Identity) -> list[Finding]:
    governed = [need for need in needs if need.table.partition(".")[0] in settings.governance.layers]
    if not governed:
        return []
    service = LakeFormation(aws, identity.account)
    scope = scope_of(settings, identity)
    wanted = {resource_of(need.table, settings) for need in governed}
    tables = _tables(wanted, Catalog(aws))
    admins = administrators(service.settings())
    principals = sorted({EVERYBODY, *(need.principal for need in governed)})
    listed = [row for name in principals for row in permissions_of(service, name)]
    opt_ins = (
        read_opt_ins(service)
        if not scope.hybrid.isdisjoint(found.database for found in wanted)
        else frozenset()
    )
    state = State(grants=grants_of(listed), opt_ins=opt_ins)

    def found(state: State) -> list[Finding]:
        return list(lacking_of(governed, settings, state, tables, admins, scope.hybrid))

    without_tags = found(state)
    if not without_tags or not any(grant.resource.kind in {"tables", "databases"} for grant in state.grants):
        return without_tags
    doubtful = {resource_of(finding.need.table, settings) for finding in without_tags}
    databases = {resource.database for resource in doubtful}
    assigned = read_tags(
        service, databases, [tables[resource] for resource in doubtful if resource in tables]
    )
    return found(replace(state, assigned=assigned))


def _tables(wanted: Iterable[Resource], catalog: Catalog) -> dict[Resource, TableView]:
    databases = sorted({resource.database for resource in wanted})
    views = [table_view(name, table) for name in databases for table in catalog.tables(name)]
    return {view.resource: view for view in views}
