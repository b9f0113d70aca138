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
from etltctl.governance.needs import LOCATION_ACCESS, CatalogChanges, Need, needs_of
from etltctl.governance.shapes import AccountSettings, grants_of
from etltctl.governance.unmet_needs import MissingPermission, is_within, missing_in
from etltctl.lakeformation import LakeFormation
from etltctl.places import Places
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.settings import Settings


def missing_permissions(
    changes: Iterable[CatalogChanges], settings: Settings, aws: Aws, caller: Identity
) -> list[MissingPermission]:
    """Return what the caller lacks now of what these changes of the catalog need; nothing if nothing is governed.

    Lake Formation's state is read once. No call is made if nothing is governed, or if the steps need nothing of it.

    Args:
        changes: What each step changes.
        settings: The settings.
        aws: The account and region.
        caller: Who makes the changes.
    """
    if not settings.governance.is_configured:
        return []
    needs = list(needs_of(changes, settings, caller.principal))
    return _missing_now(needs, settings, aws, caller) if needs else []


def require_access(changes: Iterable[CatalogChanges], settings: Settings, aws: Aws, caller: Identity) -> None:
    """Check that the caller holds every permission that the steps need, before anything is paid for.

    Args:
        changes: What each step changes.
        settings: The settings.
        aws: The account and region.
        caller: Who makes the changes.

    Raises:
        AccessError: The caller lacks a permission. The error is about the first one and lists the others.
    """
    if missing := missing_permissions(changes, settings, aws, caller):
        first = missing[0]
        raise AccessError(
            f"{first.need.step} cannot run: {first.need.principal} lacks {first.need.permission} on {first.resource}",
            hint=first.fix(settings),
            code=first.code,
            step=first.need.step,
            principal=first.need.principal,
            needs=first.need.permission,
            resource=first.resource,
            also="\n".join(map(str, missing[1:])),
        )


def _missing_now(
    needs: Sequence[Need], settings: Settings, aws: Aws, identity: Identity
) -> list[MissingPermission]:
    """Return the needs that Lake Formation does not meet now, with as few reads as the answer allows."""
    service = LakeFormation(aws, identity.account)
    locations = registered_locations(service)
    layers = settings.governance.layers
    relevant = [
        need
        for need in needs
        if TableName.parse(need.table).layer in layers or _is_registered(need, locations, settings)
    ]
    # Most runs end here after one call: nothing of what they change is governed or registered.
    if not relevant:
        return []
    governed = [need for need in relevant if TableName.parse(need.table).layer in layers]
    scope = scope_of(settings, identity)
    resources = {resource_of(need.table, settings) for need in governed}
    tables = _tables(resources, Catalog(aws))
    admins = AccountSettings.of(service.settings()).admins
    principals = {EVERYBODY, *(need.principal for need in relevant)}
    grants = grants_of(explicit_permissions(service, ()))
    # Opt-ins exist on hybrid resources only, and listing them is one more call.
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

    def missing(state: State) -> list[MissingPermission]:
        return list(missing_in(relevant, settings, state, tables, admins))

    # Tags cost a call for each table. They are read only where a grant on tags could still give what is missing.
    without_tags = missing(state)
    is_tagged = any(grant.resource.kind in {"tables", "databases"} for grant in state.grants)
    doubtful = {
        resource_of(each.need.table, settings)
        for each in without_tags
        if each.need.permission != LOCATION_ACCESS
    }
    if not doubtful or not is_tagged:
        return without_tags
    databases = {resource.database for resource in doubtful}
    assigned = read_tags(
        service, databases, [tables[resource] for resource in doubtful if resource in tables]
    )
    return missing(replace(state, assigned=assigned))


def _is_registered(need: Need, locations: Mapping[str, Location], settings: Settings) -> bool:
    place = location_arn(Places(settings).of(need.table))
    return need.permission == LOCATION_ACCESS and any(is_within(place, arn) for arn in locations)


def _tables(resources: Iterable[Resource], catalog: Catalog) -> dict[Resource, TableView]:
    databases = sorted({resource.database for resource in resources})
    views = [table_view(name, table) for name in databases for table in catalog.tables(name)]
    return {view.resource: view for view in views}
