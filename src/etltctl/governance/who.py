"""The readers of a table: every principal with the columns and rows that it reaches, and the grant that opens them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.errors import UsageError, command
from etltctl.governance.access import TableView, reaches
from etltctl.governance.actual import (
    explicit_permissions,
    read_filters,
    read_tags,
    table_view,
)
from etltctl.governance.model import ALL_TABLES, EVERYBODY, State
from etltctl.governance.shapes import AccountSettings, grants_of
from etltctl.lakeformation import LakeFormation
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.settings import Settings

EVERYTHING = "all"


@dataclass(frozen=True)
class Seen:
    """What a principal sees of a table, and the grant's resource."""

    principal: str
    columns: str
    rows: str
    through: str


def who(table: str, settings: Settings) -> list[Seen]:
    """Return every principal that reaches data of a table, as Lake Formation lists its grants.

    Args:
        table: The table as `layer.table`.
        settings: The settings.

    Raises:
        UsageError: The catalog has no such table.
    """
    aws = Aws.from_settings(settings)
    view = _view(table, settings, Catalog(aws))
    service = LakeFormation(aws, aws.identity().account)
    grants = grants_of(explicit_permissions(service, [view.resource.key]))
    # Tags cost one call a table, and matter only if some grant is on tags.
    is_tagged = any(grant.resource.kind == "tables" for grant in grants)
    state = State(
        grants=grants,
        assigned=read_tags(service, [view.database], [view]) if is_tagged else {},
        filters=read_filters(service, frozenset({view.database})),
    )
    readers = [
        _seen(reach.principal, reach.columns, reach.rows, reach.through) for reach in reaches(state, view)
    ]
    named = {seen.principal for seen in readers}
    # Administrators can give themselves access to every table, and no grant on record shows that.
    admins = sorted(AccountSettings.of(service.settings()).admins - named)
    return readers + [Seen(name, EVERYTHING, EVERYTHING, "being an administrator") for name in admins]


def _view(table: str, settings: Settings, catalog: Catalog) -> TableView:
    name = TableName.parse(table) if TableName.is_one(table) else None
    database = settings.athena.databases.get(name.layer) if name else None
    described = catalog.table(database, name.name) if name and database else None
    if database is None or described is None:
        raise UsageError(f"the catalog has no table {table}", hint=command("athena", "tables"))
    return table_view(database, described)


def _seen(principal: str, columns: tuple[str, ...] | None, rows: str, through: str) -> Seen:
    reader = "all principals that IAM lets in" if principal == EVERYBODY else principal
    through = through.replace(f".{ALL_TABLES}", ": every table")
    return Seen(reader, EVERYTHING if columns is None else ", ".join(columns), rows or EVERYTHING, through)
