"""What the settings say of Lake Formation, in canonical form, as far as the catalog has the tables that they name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.aws import Identity
from etltctl.governance.access import TableView
from etltctl.governance.model import (
    ALL_TABLES,
    EVERYBODY,
    Grant,
    Location,
    OptIn,
    Resource,
    RowFilter,
    Scope,
    State,
    database_of,
    folded,
    table_of,
    without_inherited,
)
from etltctl.governance.shapes import expression_of
from etltctl.values import S3Location

if TYPE_CHECKING:
    from etltctl.settings import Settings
    from etltctl.settings.governance import Grant as GrantSetting


@dataclass(frozen=True)
class CatalogView:
    """The governed layers in the catalog: databases, those whose new tables are open to IAM alone, and tables."""

    databases: frozenset[str]
    open_databases: frozenset[str]
    tables: Mapping[Resource, TableView]


def governed_databases(settings: Settings) -> dict[str, str]:
    """Return the database of every governed layer."""
    return {layer: settings.athena.databases[layer] for layer in settings.governance.layers}


def desired_locations(settings: Settings, identity: Identity) -> dict[str, Location]:
    """Return the locations to register, none inside another; none at all if the settings name no role to read them."""
    governance = settings.governance
    if governance.location_role is None:
        return {}
    roots = {layer: settings.lake.root(layer) for layer in governance.layers}
    role = identity.arn_of(governance.location_role)
    return {
        location_arn(root): Location(role, governance.zones[governance.layers[layer]].hybrid)
        for layer, root in roots.items()
        # A location inside a registered one is governed through it already.
        if not any(root.startswith(f"{other}/") for other in roots.values())
    }


def location_arn(root: str | S3Location) -> str:
    """Return the ARN of a place on S3."""
    return f"arn:aws:s3:::{S3Location.parse(root).path}"


def scope_of(settings: Settings, identity: Identity) -> Scope:
    """Return what the settings manage."""
    governance = settings.governance
    named = [
        *governance.principals,
        *(item.principal for item in governance.grants),
        *(item.principal for item in governance.opt_ins),
    ]
    databases = governed_databases(settings)
    return Scope(
        principals=frozenset({EVERYBODY, *map(identity.arn_of, named)}),
        databases=frozenset(databases.values()),
        tag_keys=frozenset(governance.all_tags),
        locations=frozenset(desired_locations(settings, identity)),
        hybrid=frozenset(
            databases[layer] for layer, zone in governance.layers.items() if governance.zones[zone].hybrid
        ),
    )


def desired_state(
    settings: Settings, identity: Identity, catalog: CatalogView, actual_admins: frozenset[str]
) -> State:
    """Return the desired state of what the catalog has. What is said of a table that does not exist yet is left out."""
    governance, scope = settings.governance, scope_of(settings, identity)
    return State(
        admins=_admins(settings, identity, actual_admins),
        iam_defaults=governance.iam_defaults,
        source_identity=governance.source_identity,
        open_databases=scope.hybrid & catalog.open_databases,
        locations=desired_locations(settings, identity),
        tags={key: frozenset(values) for key, values in governance.all_tags.items()},
        assigned=without_inherited(_assigned(settings, catalog)),
        filters=dict(_filters(settings, catalog)),
        grants=_grants(settings, identity, catalog),
        opt_ins=frozenset(_opt_ins(settings, identity, catalog)),
    )


def waiting_tables(settings: Settings, catalog: CatalogView) -> list[str]:
    """Return the tables that the settings name and the catalog does not have yet, as `layer.table`."""
    named = [grant.table for grant in settings.governance.grants if grant.table]
    named += [".".join(place.split(".")[:2]) for place in settings.governance.assign if "." in place]
    named += [
        *settings.governance.filters,
        *(item.table for item in settings.governance.opt_ins if item.table),
    ]
    return sorted({name for name in named if resource_of(name, settings) not in catalog.tables})


def resource_of(place: str, settings: Settings) -> Resource:
    """Return the database, table or column that `layer`, `layer.table` or `layer.table.column` means."""
    layer, *rest = place.split(".")
    database = settings.athena.databases[layer]
    return Resource(("database", "table", "column")[len(rest)], (database, *rest))


def _admins(settings: Settings, identity: Identity, actual: frozenset[str]) -> frozenset[str] | None:
    """Return the administrators of the settings, and the caller if it is one, so that it does not lock itself out."""
    admins = settings.governance.admins
    if admins is None:
        return None
    # With the ARN as Lake Formation lists it, so that the comparison finds no difference.
    caller = frozenset(name for name in actual if is_same_principal(name, identity.principal))
    return frozenset(map(identity.arn_of, admins)) | caller


def is_same_principal(one: str, other: str) -> bool:
    """Return whether two ARNs name the same principal; the path of a role may be missing."""

    def bare(arn: str) -> str:
        # STS leaves the path of a role out of a session's ARN, and Lake Formation has it.
        kind, _, rest = arn.rpartition(":")[2].partition("/")
        return f"{kind}/{rest.rpartition('/')[2]}" if kind == "role" else arn

    return one == other or (bare(one) == bare(other) and ":role/" in one)


def _assigned(settings: Settings, catalog: CatalogView) -> dict[Resource, dict[str, str]]:
    governance = settings.governance
    assigned: dict[Resource, dict[str, str]] = {}
    for layer, zone in governance.layers.items():
        assigned[database_of(settings.athena.databases[layer])] = {governance.zone_tag: zone}
    for place, tags in governance.assign.items():
        assigned.setdefault(resource_of(place, settings), {}).update(tags)
    return {resource: tags for resource, tags in assigned.items() if _is_there(resource, catalog)}


def _is_there(resource: Resource, catalog: CatalogView) -> bool:
    if resource.kind == "database" or resource.key[1:] == (ALL_TABLES,):
        return resource.database in catalog.databases
    return table_of(*resource.key[:2]) in catalog.tables


def _filters(settings: Settings, catalog: CatalogView) -> Iterator[tuple[Resource, RowFilter]]:
    for table, named in settings.governance.filters.items():
        resource = resource_of(table, settings)
        if resource not in catalog.tables:
            continue
        for name, item in named.items():
            columns, excluded = tuple(sorted(item.columns)), tuple(sorted(item.exclude_columns))
            yield Resource("filter", (*resource.key, name)), RowFilter(item.rows.strip(), columns, excluded)


def _grants(settings: Settings, identity: Identity, catalog: CatalogView) -> frozenset[Grant]:
    # Gathered first, because two grants of the settings may add up to ALL.
    gathered: dict[tuple[str, Resource, bool], set[str]] = {}
    for grant in settings.governance.grants:
        principal = identity.arn_of(grant.principal)
        for resource in grant_resources(grant, settings):
            # A grant on a table that a pipeline has yet to make waits for the next plan.
            if resource.database and not _is_there(resource, catalog):
                continue
            for names, grantable in ((grant.permissions, False), (grant.grantable, True)):
                gathered.setdefault((principal, resource, grantable), set()).update(names)
    return frozenset(
        Grant(principal, resource, permission, grantable)
        for (principal, resource, grantable), permissions in gathered.items()
        for permission in folded(permissions)
    )


def grant_resources(grant: GrantSetting, settings: Settings) -> list[Resource]:
    """Return what a grant of the settings is about."""
    if grant.location:
        return [Resource("location", (location_arn(settings.lake.root(grant.location)),))]
    if grant.tags:
        pairs = expression_of({"TagKey": key, "TagValues": values} for key, values in grant.tags.items())
        return [Resource(f"{grant.kind}s", (), pairs)]
    if grant.layer:
        database = settings.athena.databases[grant.layer]
        return [table_of(database, ALL_TABLES) if grant.kind == "table" else database_of(database)]
    table = resource_of(str(grant.table), settings)
    if grant.filters:
        return [Resource("filter", (*table.key, name)) for name in grant.filters]
    if grant.exclude_columns:
        return [Resource("except", (*table.key, *sorted(grant.exclude_columns)))]
    return [Resource("column", (*table.key, column)) for column in grant.columns] or [table]


def _opt_ins(settings: Settings, identity: Identity, catalog: CatalogView) -> Iterable[OptIn]:
    for item in settings.governance.opt_ins:
        resource = resource_of(item.table or str(item.layer), settings)
        if _is_there(resource, catalog):
            yield OptIn(identity.arn_of(item.principal), resource)
