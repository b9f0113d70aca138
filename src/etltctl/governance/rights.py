"""Rights one by one: which of them a state gives on a thing, and whether some rights include another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from etltctl.governance.access import READS, satisfies
from etltctl.governance.model import (
    ALL_TABLES,
    EVERYBODY,
    Grant,
    Resource,
    RowFilter,
    State,
    column_of,
    database_of,
    effective_tags,
    table_of,
)

ANY_OTHER = ""  # stands for every table of a database, or column of a table, that no state names


class Right(NamedTuple):
    """A permission of a principal on a thing. `rows` are those of a filter, empty for all."""

    principal: str
    permission: str
    rows: str


def things(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return every database, table, column and location that these resources name, and one for all others of a kind."""
    # Rights on things that no state names are equal for all of them, so one stand-in is compared for each kind.
    named: set[Resource] = set()
    for resource in resources:
        if resource.kind == "location":
            named.add(resource)
        elif resource.database:
            table = resource.key[1] if len(resource.key) > 1 and resource.key[1] != ALL_TABLES else ANY_OTHER
            columns = resource.key[2:] if resource.kind in {"column", "except"} else ()
            named |= {database_of(resource.database), table_of(resource.database, table)}
            named |= {column_of(resource.database, name, ANY_OTHER) for name in (table, ANY_OTHER)}
            named |= {table_of(resource.database, ANY_OTHER)}
            named |= {column_of(resource.database, table, name) for name in columns}
    return tuple(sorted(named))


def named_in(state: State) -> Iterator[Resource]:
    """Yield every resource that the state names, and the columns of its filters."""
    yield from state.assigned
    yield from (grant.resource for grant in state.grants)
    for resource, row_filter in state.filters.items():
        yield resource
        names = (*row_filter.columns, *row_filter.excluded)
        yield from (column_of(resource.key[0], resource.key[1], name) for name in names)


def rights_on(thing: Resource, state: State, principals: frozenset[str] | None = None) -> frozenset[Right]:
    """Return the rights on the thing, of these principals or of all."""
    tags = effective_tags(state.assigned, thing)
    return frozenset(
        # ALL and SELECT give the same on a column, and would otherwise count as two rights.
        Right(grant.principal, "SELECT" if thing.kind == "column" else grant.permission, rows)
        for grant in state.grants
        if not grant.grantable
        and (principals is None or grant.principal in principals)
        and (thing.kind != "column" or grant.permission in READS)
        and (rows := _rows(grant.resource, thing, tags, state)) is not None
    )


def gives(rights: frozenset[Right], right: Right, *, counts_everybody: bool) -> bool:
    """Return whether the right, or a wider one, is among the rights.

    Args:
        rights: The rights on one thing.
        right: The right.
        counts_everybody: Whether a right of IAM_ALLOWED_PRINCIPALS is one of every principal. It is not in hybrid
            databases, where IAM's access stays whatever Lake Formation holds.
    """
    principals = {right.principal, EVERYBODY} if counts_everybody else {right.principal}
    return any(
        Right(principal, permission, rows) in rights
        for principal in principals
        for permission in {right.permission, "ALL"}
        for rows in {right.rows, ""}
    )


def is_held(grants: frozenset[Grant], row: Grant) -> bool:
    """Return whether the grant is among these, by itself or within ALL."""
    # A held ALL shows as one row, whichever single permission is asked for.
    return row in grants or Grant(row.principal, row.resource, "ALL", row.grantable) in grants


def _rows(resource: Resource, thing: Resource, tags: dict[str, str], state: State) -> str | None:
    """Return the rows of the thing that a grant on the resource opens; None if it opens nothing of it."""
    # A filter that is granted and does not exist opens nothing: that is a moment within a plan.
    if resource.kind == "filter":
        row_filter = state.filters.get(resource)
        if row_filter is None or thing.key[:2] != resource.key[:2]:
            return None
        return row_filter.rows if _shows(row_filter, thing) else None
    return "" if _is_open(resource, thing, tags) else None


def _is_open(resource: Resource, thing: Resource, tags: dict[str, str]) -> bool:
    match resource.kind:
        case "tables":
            return thing.kind in {"table", "column"} and satisfies(tags, resource)
        case "databases":
            return thing.kind == "database" and satisfies(tags, resource)
        # A grant on a table opens its columns as well; one on a database opens no table.
        case "table" if thing.kind in {"table", "column"}:
            return resource.key[0] == thing.key[0] and resource.key[1] in {thing.key[1], ALL_TABLES}
        case "except":
            is_left_out = thing.key[2:] and thing.key[2] in resource.key[2:]
            return thing.kind == "column" and thing.key[:2] == resource.key[:2] and not is_left_out
    return resource == thing


def _shows(row_filter: RowFilter, thing: Resource) -> bool:
    if thing.kind != "column":
        return False
    column = thing.key[2]
    return column in row_filter.columns if row_filter.columns else column not in row_filter.excluded
