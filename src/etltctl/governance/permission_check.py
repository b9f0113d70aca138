"""The check before a step starts: whether the caller holds every permission of Lake Formation that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
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
from etltctl.governance.model import EVERYBODY, Grant, Location, Resource, State
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
    resources = {resource_of(need.table, settings) for need in governed}
    tables = _tables(resources, Catalog(aws))
    admins = AccountSettings.of(service.settings()).admins
    hybrid = scope_of(settings, identity).hybrid
    state = State(
        locations=locations,
        grants=_grants_to({EVERYBODY, *(need.principal for need in relevant)}, service),
        # Opt-ins exist on hybrid resources only, and listing them is one more call.
        opt_ins=frozenset()
        if hybrid.isdisjoint(resource.database for resource in resources)
        else read_opt_ins(service),
    )
    missing = list(missing_in(relevant, settings, state, tables, admins))
    doubtful = _given_by_tags(missing, state, settings)
    if not doubtful:
        return missing
    views = [tables[resource] for resource in doubtful if resource in tables]
    assigned = read_tags(service, {resource.database for resource in doubtful}, views)
    return list(missing_in(relevant, settings, replace(state, assigned=assigned), tables, admins))


def _grants_to(principals: Set[str], service: LakeFormation) -> frozenset[Grant]:
    """Return the grants that Lake Formation holds for these principals."""
    grants = grants_of(explicit_permissions(service, ()))
    return frozenset(grant for grant in grants if grant.principal in principals)


def _given_by_tags(missing: Iterable[MissingPermission], state: State, settings: Settings) -> set[Resource]:
    """Return the resources on which a grant on tags could still give what is missing.

    Args:
        missing: What is missing without the tags.
        state: What Lake Formation holds, without the tags.
        settings: The settings.
    """
    # Tags cost a call for each table, so they are read only where they can change the answer.
    if not any(grant.resource.kind in {"tables", "databases"} for grant in state.grants):
        return set()
    # No grant on tags gives access to a location.
    needs = [each.need for each in missing if each.need.permission != LOCATION_ACCESS]
    return {resource_of(need.table, settings) for need in needs}


def _is_registered(need: Need, locations: Mapping[str, Location], settings: Settings) -> bool:
    place = location_arn(Places(settings).of(need.table))
    return need.permission == LOCATION_ACCESS and any(is_within(place, arn) for arn in locations)


def _tables(resources: Iterable[Resource], catalog: Catalog) -> dict[Resource, TableView]:
    """Return those of the resources that are tables of the catalog, and the other tables of their databases."""
    needed = sorted(set(resources), key=lambda resource: resource.key)
    databases = sorted({resource.database for resource in needed})
    views = [table_view(name, table) for name in databases for table in catalog.tables(name)]
    tables = {view.resource: view for view in views}
    for resource in needed:
        if resource not in tables and (view := _hidden_table(resource, catalog)):
            tables[resource] = view
    return tables


def _hidden_table(resource: Resource, catalog: Catalog) -> TableView | None:
    """Return a table that a list leaves out, as Glue does for a caller without any permission on it."""
    database, name = resource.key[:2]
    try:
        described = catalog.table(database, name)
    except AccessError:  # only a table that is there is refused
        return TableView(database, name, ())
    return table_view(database, described) if described else None
