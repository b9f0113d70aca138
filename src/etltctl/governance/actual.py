"""What Lake Formation and the catalog hold, read and put into canonical form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etltctl.aws import Identity
from etltctl.catalog import Catalog
from etltctl.governance.access import TableView
from etltctl.governance.desired import CatalogView, governed_databases
from etltctl.governance.model import (
    EVERYBODY,
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
from etltctl.governance.shapes import filter_of, grants_of, resource_shape, resources_of
from etltctl.lakeformation import LakeFormation

if TYPE_CHECKING:
    from etltctl.settings import Settings

SERVICE_LINKED = "aws-service-role/lakeformation.amazonaws.com"


@dataclass(frozen=True)
class Reading:
    """Lake Formation as it is: the managed state, the scope with what must be left alone, other principals' grants."""

    state: State
    scope: Scope
    catalog: CatalogView
    beside: frozenset[Grant] = frozenset()


def read_catalog(settings: Settings, catalog: Catalog) -> CatalogView:
    """The governed databases and their tables."""
    described = {name: catalog.database(name) for name in sorted(set(governed_databases(settings).values()))}
    there = {name: found for name, found in described.items() if found is not None}
    tables = [table_view(name, table) for name in there for table in catalog.tables(name)]
    return CatalogView(
        databases=frozenset(there),
        open_databases=frozenset(
            name for name, found in there.items() if found.get("CreateTableDefaultPermissions")
        ),
        tables={table.resource: table for table in tables},
    )


def table_view(database: str, table: Mapping[str, Any]) -> TableView:
    """A table of the catalog in Glue's own shape."""
    listed = [*table.get("StorageDescriptor", {}).get("Columns", []), *(table.get("PartitionKeys") or [])]
    types = {column["Name"].lower(): column.get("Type", "") for column in listed}
    creator = Identity("", table.get("CreatedBy", "")).principal
    is_view = table.get("TableType") == "VIRTUAL_VIEW"
    return TableView(database, table["Name"], tuple(types), is_view, creator, types)


def read_state(service: LakeFormation, catalog: CatalogView, scope: Scope) -> Reading:
    """Everything that is managed, what of it must be left alone, and the grants of principals that are not."""
    settings = service.settings()
    tags = service.tags()
    filters = read_filters(service, scope.databases)
    grants = grants_of(explicit_permissions(service, (found.key[:2] for found in filters)))
    admins = administrators(settings)
    state = State(
        admins=admins,
        iam_defaults=_has_iam_defaults(settings),
        source_identity=(settings.get("Parameters") or {}).get("SET_SOURCE_IDENTITY", "").upper() == "TRUE",
        open_databases=catalog.open_databases,
        locations=registered_locations(service),
        tags=tags,
        assigned=read_tags(service, catalog.databases, catalog.tables.values()),
        filters=filters,
        grants=frozenset(grant for grant in grants if grant.principal in scope.principals),
        opt_ins=read_opt_ins(service),
    )
    creators = {(table.creator, resource) for resource, table in catalog.tables.items() if table.creator}
    beside = grants - state.grants
    used = frozenset(grant.resource for grant in beside)
    return Reading(state, replace(scope, protected=admins | creators, in_use=used), catalog, beside)


def with_tags_in_use(reading: Reading, desired: State, service: LakeFormation) -> Reading:
    """The reading with those superfluous values of managed LF-tags that something outside carries."""
    extra = [
        (key, value)
        for key, values in desired.tags.items()
        for value in sorted(reading.state.tags.get(key, frozenset()) - values)
    ]
    outside = {pair for pair in extra if _is_tagged_outside(pair, service, reading.scope)}
    in_use = reading.scope.in_use | outside
    return replace(reading, scope=replace(reading.scope, in_use=in_use))


def registered_locations(service: LakeFormation) -> dict[str, Location]:
    """Return every registered location by its ARN."""
    return {location["ResourceArn"]: _location(location) for location in service.locations()}


def administrators(settings: Mapping[str, Any]) -> frozenset[str]:
    """The data lake administrators."""
    return frozenset(found["DataLakePrincipalIdentifier"] for found in settings.get("DataLakeAdmins") or ())


def read_tags(
    service: LakeFormation, databases: Iterable[str], tables: Iterable[TableView]
) -> dict[Resource, dict[str, str]]:
    """The LF-tags of databases, tables and their columns that these do not inherit."""
    found: dict[Resource, dict[str, str]] = {}
    for name in sorted(databases):
        shown = service.resource_tags(resource_shape(database_of(name), service.account))
        found[database_of(name)] = _pairs(shown.get("LFTagOnDatabase"))
    for table in sorted(tables, key=lambda table: table.resource):
        shown = service.resource_tags(resource_shape(table.resource, service.account))
        found[table.resource] = _pairs(shown.get("LFTagsOnTable"))
        for column in shown.get("LFTagsOnColumns") or ():
            found[column_of(table.database, table.name, column["Name"])] = _pairs(column.get("LFTags"))
    return without_inherited(found)


def read_filters(service: LakeFormation, databases: frozenset[str]) -> dict[Resource, RowFilter]:
    """The data cells filters of tables in these databases."""
    return {
        resource: wanted
        for resource, wanted in map(filter_of, service.filters())
        if resource.database in databases
    }


def read_opt_ins(service: LakeFormation) -> frozenset[OptIn]:
    """For whom Lake Formation counts on hybrid resources."""
    return frozenset(
        OptIn(found["Principal"]["DataLakePrincipalIdentifier"], resource)
        for found in service.opt_ins()
        for resource in resources_of(found["Resource"])
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


def _has_iam_defaults(settings: Mapping[str, Any]) -> bool:
    members = ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions")
    return any(
        row["Principal"]["DataLakePrincipalIdentifier"] == EVERYBODY
        for member in members
        for row in settings.get(member) or ()
    )


def _location(found: Mapping[str, Any]) -> Location:
    return Location(found.get("RoleArn", ""), bool(found.get("HybridAccessEnabled")))


def _pairs(listed: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValues"][0] for tag in listed or ()}


def _is_tagged_outside(pair: tuple[str, str], service: LakeFormation, scope: Scope) -> bool:
    tagged = [item["Database"]["Name"] for item in service.databases_tagged(*pair)]
    tagged += [item["Table"]["DatabaseName"] for item in service.tables_tagged(*pair)]
    return not scope.databases.issuperset(tagged)
