"""What grants add up to: the columns and rows of a table that a principal reaches, and the permissions it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from etltctl.governance.model import (
    ALL_TABLES,
    EVERYBODY,
    Resource,
    State,
    column_of,
    database_of,
    effective_tags,
    table_of,
)

READS = frozenset({"SELECT", "ALL"})


@dataclass(frozen=True)
class TableView:
    """A table of the catalog: its columns and their types, whether it is a view, and the principal that created it."""

    database: str
    name: str
    columns: tuple[str, ...]
    is_view: bool = False
    creator: str = ""
    types: Mapping[str, str] = field(default_factory=dict)

    @property
    def resource(self) -> Resource:
        """The table as a resource."""
        return table_of(self.database, self.name)


@dataclass(frozen=True)
class Reach:
    """The part of a table that one grant opens: columns (None for all), rows (empty for all), the grant's resource."""

    principal: str
    columns: tuple[str, ...] | None
    rows: str
    through: str


def reaches(state: State, table: TableView) -> list[Reach]:
    """Return what each grant opens of the table's data, by principal."""
    opened = [
        Reach(grant.principal, columns, rows, str(grant.resource))
        for grant in sorted(state.grants)
        if grant.permission in READS and not grant.grantable
        for columns, rows in _opened(grant.resource, state, table)
    ]
    return _joined(opened)


def _opened(
    resource: Resource, state: State, table: TableView
) -> Iterator[tuple[tuple[str, ...] | None, str]]:
    if resource.kind == "table" and _names(resource, table):
        yield None, ""
    elif resource.kind == "column" and resource.key[:2] == (table.database, table.name):
        yield (resource.key[2],), ""
    elif resource.kind == "except" and resource.key[:2] == (table.database, table.name):
        # Computed from the present columns: a column that is added later is open as well.
        yield tuple(name for name in table.columns if name not in resource.key[2:]), ""
    elif resource.kind == "filter" and resource.key[:2] == (table.database, table.name):
        row_filter = state.filters.get(resource)
        if row_filter is not None:
            rest = tuple(name for name in table.columns if name not in row_filter.excluded)
            yield (row_filter.columns or (rest if row_filter.excluded else None)), row_filter.rows
    elif resource.kind == "tables":
        columns = tagged_columns(resource, state, table)
        # No column satisfies the expression: then the grant opens nothing, which is not the same as everything.
        if columns:
            yield (None if columns == table.columns else columns), ""


def tagged_columns(policy: Resource, state: State, table: TableView) -> tuple[str, ...]:
    """Return the columns whose LF-tags, inherited or their own, satisfy the expression."""
    return tuple(
        column
        for column in table.columns
        if satisfies(effective_tags(state.assigned, column_of(table.database, table.name, column)), policy)
    )


def satisfies(tags: Mapping[str, str], policy: Resource) -> bool:
    """Return whether the tags have one of the values of every key of the expression."""
    # An empty expression would satisfy `all` and open every table.
    return bool(policy.expression) and all(tags.get(key) in values for key, values in policy.expression)


def holds(state: State, principal: str, permission: str, target: TableView | str) -> bool:
    """Return whether a permission is held on a whole table, or on the database of that name.

    What IAM_ALLOWED_PRINCIPALS holds counts for every principal.
    """
    rows = [
        grant.resource
        for grant in state.grants
        if grant.principal in {principal, EVERYBODY}
        and grant.permission in {permission, "ALL"}
        and not grant.grantable
    ]
    if isinstance(target, str):
        tags = effective_tags(state.assigned, database_of(target))
        return database_of(target) in rows or any(
            row.kind == "databases" and satisfies(tags, row) for row in rows
        )
    return any(_is_whole(row, state, target, permission) for row in rows)


def _is_whole(resource: Resource, state: State, table: TableView, permission: str) -> bool:
    if resource.kind == "tables":
        # A single column with another tag is enough to break a query that reads the whole table.
        if permission == "SELECT":
            return tagged_columns(resource, state, table) == table.columns
        return satisfies(effective_tags(state.assigned, table.resource), resource)
    return resource.kind == "table" and _names(resource, table)


def _names(resource: Resource, table: TableView) -> bool:
    return resource.key[0] == table.database and resource.key[1] in {table.name, ALL_TABLES}


def _joined(reaches: Sequence[Reach]) -> list[Reach]:
    """Return them with the columns that were granted one by one joined into one."""
    joined: dict[tuple[str, str, str], Reach] = {}
    for reach in reaches:
        # Lake Formation lists a grant on three columns as three rows; a reader wants to see one.
        is_single = reach.columns is not None and len(reach.columns) == 1 and not reach.rows
        key = (reach.principal, reach.rows, "columns" if is_single else reach.through)
        before = joined.get(key)
        if before is None or not is_single:
            joined[key] = (
                reach if not is_single else Reach(reach.principal, reach.columns, "", "named columns")
            )
        else:
            joined[key] = Reach(reach.principal, _both(before.columns, reach.columns), "", "named columns")
    return list(joined.values())


def _both(first: Iterable[str] | None, second: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(sorted({*(first or ()), *(second or ())}))
