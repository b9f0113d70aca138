"""Read what Lake Formation and the catalog hold, in canonical form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etltctl.aws import Identity
from etltctl.catalog import Catalog
from etltctl.governance.access import TableView
from etltctl.governance.desired import CatalogView, governed_databases
from etltctl.governance.model import (
    Grant,
    Location,
    OptIn,
    Resource,
    RowFilter,
    Scope,
    State,
    column_of,
    database_of,
    without_inherited,
)
from etltctl.governance.shapes import (
    AccountSettings,
    filter_of,
    grants_of,
    resource_shape,
    resources_of,
)
from etltctl.lakeformation import LakeFormation

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class Reading:
    """What Lake Formation holds.

    `state` is what etltctl manages. `scope` says what of it must be left alone. `unmanaged` are the grants of
    principals that etltctl does not manage.
    """

    state: State
    scope: Scope
    catalog: CatalogView
    unmanaged: frozenset[Grant] = frozenset()


def read_catalog(settings: Settings, catalog: Catalog) -> CatalogView:
    """Return the governed databases and their tables."""
    described = {name: catalog.database(name) for name in sorted(set(governed_databases(settings).values()))}
    present = {name: database for name, database in described.items() if database is not None}
    tables = [table_view(name, table) for name in present for table in catalog.tables(name)]
    return CatalogView(
        databases=frozenset(present),
        open_databases=frozenset(
            name for name, database in present.items() if database.get("CreateTableDefaultPermissions")
        ),
        tables={table.resource: table for table in tables},
    )


def table_view(database: str, table: Mapping[str, Any]) -> TableView:
    """Return a table of the catalog, from Glue's shape of it."""
    # Partition columns carry LF-tags and count for filters like all others.
    columns = [*table.get("StorageDescriptor", {}).get("Columns", []), *(table.get("PartitionKeys") or [])]
    types = {column["Name"].lower(): column.get("Type", "") for column in columns}
    # CreatedBy is the ARN of a session for roles; grants name the role.
    creator = Identity("", table.get("CreatedBy", "")).principal
    is_view = table.get("TableType") == "VIRTUAL_VIEW"
    return TableView(database, table["Name"], tuple(types), is_view, creator, types)


def read_state(service: LakeFormation, catalog: CatalogView, scope: Scope) -> Reading:
    """Return what etltctl manages, what of it must be left alone, and the grants of other principals."""
    account = AccountSettings.of(service.settings())
    tags = service.tags()
    # Before the permissions: which tables have filters decides what has to be listed.
    filters = read_filters(service, scope.databases)
    grants = grants_of(explicit_permissions(service, (resource.key[:2] for resource in filters)))
    state = State(
        admins=account.admins,
        iam_defaults=account.iam_defaults,
        source_identity=account.source_identity,
        open_databases=catalog.open_databases,
        locations=registered_locations(service),
        tags=tags,
        assigned=read_tags(service, catalog.databases, catalog.tables.values()),
        filters=filters,
        grants=frozenset(grant for grant in grants if grant.principal in scope.principals),
        opt_ins=read_opt_ins(service),
    )
    # The creator of a table holds everything on it implicitly; revokes of it and of administrators are refused.
    creators = {(table.creator, resource) for resource, table in catalog.tables.items() if table.creator}
    unmanaged = grants - state.grants
    used = frozenset(grant.resource for grant in unmanaged)
    return Reading(
        state, replace(scope, protected=account.admins | creators, in_use=used), catalog, unmanaged
    )


def with_tags_in_use(reading: Reading, desired: State, service: LakeFormation) -> Reading:
    """Return the reading with those values of managed LF-tags in `scope.in_use` that an unmanaged resource carries."""
    extra = [
        (key, value)
        for key, values in desired.tags.items()
        for value in sorted(reading.state.tags.get(key, frozenset()) - values)
    ]
    # One call a value, so only values that the plan would delete are searched for.
    outside = {pair for pair in extra if _is_tagged_outside(pair, service, reading.scope)}
    in_use = reading.scope.in_use | outside
    return replace(reading, scope=replace(reading.scope, in_use=in_use))


def registered_locations(service: LakeFormation) -> dict[str, Location]:
    """Return every registered location by its ARN."""
    return {location["ResourceArn"]: _location(location) for location in service.locations()}


def read_tags(
    service: LakeFormation, databases: Iterable[str], tables: Iterable[TableView]
) -> dict[Resource, dict[str, str]]:
    """Return the LF-tags of databases, tables and their columns that these do not inherit."""
    assigned: dict[Resource, dict[str, str]] = {}
    for name in sorted(databases):
        shown = service.resource_tags(resource_shape(database_of(name), service.account))
        assigned[database_of(name)] = _pairs(shown.get("LFTagOnDatabase"))
    for table in sorted(tables, key=lambda table: table.resource):
        shown = service.resource_tags(resource_shape(table.resource, service.account))
        assigned[table.resource] = _pairs(shown.get("LFTagsOnTable"))
        for column in shown.get("LFTagsOnColumns") or ():
            assigned[column_of(table.database, table.name, column["Name"])] = _pairs(column.get("LFTags"))
    # The service shows inherited tags on every column, as if each were assigned.
    return without_inherited(assigned)


def read_filters(service: LakeFormation, databases: frozenset[str]) -> dict[Resource, RowFilter]:
    """Return the data cells filters of tables in these databases."""
    return {
        resource: row_filter
        for resource, row_filter in map(filter_of, service.filters())
        if resource.database in databases
    }


def read_opt_ins(service: LakeFormation) -> frozenset[OptIn]:
    """Return the principals for whom Lake Formation counts on hybrid resources."""
    return frozenset(
        OptIn(item["Principal"]["DataLakePrincipalIdentifier"], resource)
        for item in service.opt_ins()
        for resource in resources_of(item["Resource"])
    )


def explicit_permissions(service: LakeFormation, filtered: Iterable[tuple[str, ...]]) -> list[dict[str, Any]]:
    """List every permission as it was granted, those on filters of the `filtered` tables included.

    Only a listing without a principal and a resource holds what was granted and nothing else. With them, the service
    computes what they add up to, and what was granted on all tables appears as if it were granted on one.
    Filters appear in a listing of their table alone.

    Args:
        service: Lake Formation.
        filtered: Database and name of every table that has data cells filters.
    """
    on_filters = [
        row
        for table in sorted(set(filtered))
        for row in _permissions_on(service, table)
        if "DataCellsFilter" in row["Resource"]
    ]
    return [*service.permissions(), *on_filters]


def _permissions_on(service: LakeFormation, table: tuple[str, ...]) -> list[dict[str, Any]]:
    resource = {"Table": {"DatabaseName": table[0], "Name": table[1]}}
    return service.permissions(Resource=resource, IncludeRelated="TRUE")


def _location(shape: Mapping[str, Any]) -> Location:
    return Location(shape.get("RoleArn", ""), bool(shape.get("HybridAccessEnabled")))


def _pairs(tags: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValues"][0] for tag in tags or ()}


def _is_tagged_outside(pair: tuple[str, str], service: LakeFormation, scope: Scope) -> bool:
    tagged = [item["Database"]["Name"] for item in service.databases_tagged(*pair)]
    tagged += [item["Table"]["DatabaseName"] for item in service.tables_tagged(*pair)]
    return not scope.databases.issuperset(tagged)
