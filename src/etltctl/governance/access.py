"""What grants add up to: who reaches which columns and rows of a table, and whether somebody holds a permission."""

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
    """A table of the catalog: its columns, whether it is a view, which principal made it."""

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
    """What one grant opens of a table: columns (None for all), rows (empty for all), and through what."""

    principal: str
    columns: tuple[str, ...] | None
    rows: str
    through: str


def reaches(state: State, table: TableView) -> list[Reach]:
    """Every grant that opens the table's data to somebody, by principal."""
    found = [
        Reach(grant.principal, columns, rows, str(grant.resource))
        for grant in sorted(state.grants)
        if grant.permission in READS and not grant.grantable
        for columns, rows in _opened(grant.resource, state, table)
    ]
    return _joined(found)


def _opened(
    resource: Resource, state: State, table: TableView
) -> Iterator[tuple[tuple[str, ...] | None, str]]:
    if resource.kind == "table" and _names(resource, table):
        yield None, ""
    elif resource.kind == "column" and resource.key[:2] == (table.database, table.name):
        yield (resource.key[2],), ""
    elif resource.kind == "except" and resource.key[:2] == (table.database, table.name):
        yield tuple(name for name in table.columns if name not in resource.key[2:]), ""
    elif resource.kind == "filter" and resource.key[:2] == (table.database, table.name):
        found = state.filters.get(resource)
        if found is not None:
            excluded = tuple(name for name in table.columns if name not in found.excluded)
            yield (found.columns or (excluded if found.excluded else None)), found.rows
    elif resource.kind == "tables":
        columns = tagged_columns(resource, state, table)
        if columns:
            yield (None if columns == table.columns else columns), ""


def tagged_columns(policy: Resource, state: State, table: TableView) -> tuple[str, ...]:
    """The columns whose LF-tags, inherited or their own, satisfy the expression."""
    return tuple(
        column
        for column in table.columns
        if satisfies(effective_tags(state.assigned, column_of(table.database, table.name, column)), policy)
    )


def satisfies(tags: Mapping[str, str], policy: Resource) -> bool:
    """Whether the tags have one of the values of every key of the expression."""
    return bool(policy.expression) and all(tags.get(key) in values for key, values in policy.expression)


def holds(state: State, principal: str, permission: str, target: TableView | str) -> bool:
    """Whether the principal, or everybody, has the permission on the whole table or on the database of that name."""
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
        if permission == "SELECT":
            return tagged_columns(resource, state, table) == table.columns
        return satisfies(effective_tags(state.assigned, table.resource), resource)
    return resource.kind == "table" and _names(resource, table)


def _names(resource: Resource, table: TableView) -> bool:
    return resource.key[0] == table.database and resource.key[1] in {table.name, ALL_TABLES}


def _joined(found: Sequence[Reach]) -> list[Reach]:
    """Single columns granted one by one, as one."""
    joined: dict[tuple[str, str, str], Reach] = {}
    for reach in found:
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
