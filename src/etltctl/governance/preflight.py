"""The check before a step starts: whether the caller holds every permission of Lake Formation that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from etltctl.aws import Aws, Identity
from etltctl.catalog import Catalog
from etltctl.errors import AccessError
from etltctl.governance.access import TableView
from etltctl.governance.actual import (
    explicit_permissions,
    read_opt_ins,
    read_tags,
    registered_locations,
    table_view,
)
from etltctl.governance.desired import location_arn, resource_of, scope_of
from etltctl.governance.model import EVERYBODY, Location, Resource, State
from etltctl.governance.needs import (
    LOCATION_ACCESS,
    Finding,
    Need,
    all_needs,
    is_within,
    lacking_of,
    needs_of_step,
)
from etltctl.governance.shapes import AccountSettings, grants_of
from etltctl.lakeformation import LakeFormation
from etltctl.places import Places
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.settings import Settings


def preflight(settings: Settings) -> list[Finding]:
    """Return what the caller lacks of what the pipelines' steps need; nothing if nothing is governed."""
    if not settings.governance.is_configured:
        return []
    aws = Aws.from_settings(settings)
    identity = aws.identity()
    return _lacking(all_needs(settings, identity), settings, aws, identity)


def require_access(settings: Settings, steps: Mapping[str, Iterable[str]]) -> None:
    """Check that the caller holds every permission that the steps need, before anything is paid for.

    Lake Formation's state is read once. No call is made if nothing is governed, or if the steps need nothing of it.

    Args:
        settings: The settings.
        steps: The tables that a refresh brings in line, by step.

    Raises:
        AccessError: The caller lacks a permission. The error is about the first one and lists the others.
    """
    if not settings.governance.is_configured:
        return
    aws = Aws.from_settings(settings)
    identity = aws.identity()
    needs = [
        need for step, tables in steps.items() for need in needs_of_step(settings, identity, step, tables)
    ]
    if not needs:
        return
    if findings := _lacking(needs, settings, aws, identity):
        first = findings[0]
        raise AccessError(
            f"{first.need.step} cannot run: {first.need.principal} lacks {first.need.permission} on {first.resource}",
            hint=first.fix(settings),
            code=first.code,
            step=first.need.step,
            principal=first.need.principal,
            needs=first.need.permission,
            resource=first.resource,
            also="\n".join(str(finding) for finding in findings[1:]),
        )


def _lacking(needs: Sequence[Need], settings: Settings, aws: Aws, identity: Identity) -> list[Finding]:
    service = LakeFormation(aws, identity.account)
    locations = registered_locations(service)
    layers = settings.governance.layers
    relevant = [
        need
        for need in needs
        if TableName.parse(need.table).layer in layers or _is_registered(need, locations, settings)
    ]
    if not relevant:
        return []
    governed = [need for need in relevant if TableName.parse(need.table).layer in layers]
    scope = scope_of(settings, identity)
    resources = {resource_of(need.table, settings) for need in governed}
    tables = _tables(resources, Catalog(aws))
    admins = AccountSettings.of(service.settings()).admins
    principals = {EVERYBODY, *(need.principal for need in relevant)}
    grants = grants_of(explicit_permissions(service, ()))
    opt_ins = (
        read_opt_ins(service)
        if not scope.hybrid.isdisjoint(resource.database for resource in resources)
        else frozenset()
    )
    state = State(
        locations=locations,
        grants=frozenset(grant for grant in grants if grant.principal in principals),
        opt_ins=opt_ins,
    )

    def lacking(state: State) -> list[Finding]:
        return list(lacking_of(relevant, settings, state, tables, admins))

    without_tags = lacking(state)
    is_tagged = any(grant.resource.kind in {"tables", "databases"} for grant in state.grants)
    doubtful = {
        resource_of(finding.need.table, settings)
        for finding in without_tags
        if finding.need.permission != LOCATION_ACCESS
    }
    if not doubtful or not is_tagged:
        return without_tags
    databases = {resource.database for resource in doubtful}
    assigned = read_tags(
        service, databases, [tables[resource] for resource in doubtful if resource in tables]
    )
    return lacking(replace(state, assigned=assigned))


def _is_registered(need: Need, locations: Mapping[str, Location], settings: Settings) -> bool:
    place = location_arn(Places(settings).of(need.table))
    return need.permission == LOCATION_ACCESS and any(is_within(place, arn) for arn in locations)


def _tables(resources: Iterable[Resource], catalog: Catalog) -> dict[Resource, TableView]:
    databases = sorted({resource.database for resource in resources})
    views = [table_view(name, table) for name in databases for table in catalog.tables(name)]
    return {view.resource: view for view in views}
