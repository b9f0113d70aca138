"""What grants open, right by right: what two states both give, and whether a third still gives it."""

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
    """A permission of a principal on a thing; `rows` are those of a filter, empty for all."""

    principal: str
    permission: str
    rows: str


def things(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Every database, table, column and location that these resources name, and one for all others of their kind."""
    found: set[Resource] = set()
    for resource in resources:
        if resource.kind == "location":
            found.add(resource)
        elif resource.database:
            table = resource.key[1] if len(resource.key) > 1 and resource.key[1] != ALL_TABLES else ANY_OTHER
            columns = resource.key[2:] if resource.kind in {"column", "except"} else ()
            found |= {database_of(resource.database), table_of(resource.database, table)}
            found |= {column_of(resource.database, name, ANY_OTHER) for name in (table, ANY_OTHER)}
            found |= {table_of(resource.database, ANY_OTHER)}
            found |= {column_of(resource.database, table, name) for name in columns}
    return tuple(sorted(found))


def named_in(state: State) -> Iterator[Resource]:
    """Every resource that the state speaks of, and the columns of its filters."""
    yield from state.assigned
    yield from (grant.resource for grant in state.grants)
    for resource, found in state.filters.items():
        yield resource
        yield from (
            column_of(resource.key[0], resource.key[1], name) for name in (*found.columns, *found.excluded)
        )


def rights_on(thing: Resource, state: State, principals: frozenset[str] | None = None) -> frozenset[Right]:
    """The rights on the thing, of these principals or of all."""
    tags = effective_tags(state.assigned, thing)
    return frozenset(
        Right(grant.principal, "SELECT" if thing.kind == "column" else grant.permission, rows)
        for grant in state.grants
        if not grant.grantable
        and (principals is None or grant.principal in principals)
        and (thing.kind != "column" or grant.permission in READS)
        and (rows := _rows(grant.resource, thing, tags, state)) is not None
    )


def gives(rights: frozenset[Right], wanted: Right, *, counts_everybody: bool) -> bool:
    """Whether the right is among these, or a wider one is; everybody's count for each unless IAM stays beside."""
    principals = {wanted.principal, EVERYBODY} if counts_everybody else {wanted.principal}
    return any(
        Right(principal, permission, rows) in rights
        for principal in principals
        for permission in {wanted.permission, "ALL"}
        for rows in {wanted.rows, ""}
    )


def is_held(grants: frozenset[Grant], row: Grant) -> bool:
    """Whether the grant is among these, by itself or within ALL."""
    return row in grants or Grant(row.principal, row.resource, "ALL", row.grantable) in grants


def _rows(resource: Resource, thing: Resource, tags: dict[str, str], state: State) -> str | None:
    """The rows of the thing that a grant on the resource opens; None if it opens nothing of it."""
    if resource.kind == "filter":
        found = state.filters.get(resource)
        is_open = found is not None and thing.key[:2] == resource.key[:2] and _shows(found, thing)
        return found.rows if found is not None and is_open else None
    return "" if _is_open(resource, thing, tags) else None


def _is_open(resource: Resource, thing: Resource, tags: dict[str, str]) -> bool:
    match resource.kind:
        case "tables":
            return thing.kind in {"table", "column"} and satisfies(tags, resource)
        case "databases":
            return thing.kind == "database" and satisfies(tags, resource)
        case "table" if thing.kind in {"table", "column"}:
            return resource.key[0] == thing.key[0] and resource.key[1] in {thing.key[1], ALL_TABLES}
        case "except":
            is_left_out = thing.key[2:] and thing.key[2] in resource.key[2:]
            return thing.kind == "column" and thing.key[:2] == resource.key[:2] and not is_left_out
    return resource == thing


def _shows(found: RowFilter, thing: Resource) -> bool:
    if thing.kind != "column":
        return False
    return thing.key[2] in found.columns if found.columns else thing.key[2] not in found.excluded
