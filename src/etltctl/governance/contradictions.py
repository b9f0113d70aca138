"""Contradictions between the settings and the catalog, which a plan refuses, and what a plan warns of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from etltctl.aws import Identity
from etltctl.governance.access import READS, TableView, tagged_columns
from etltctl.governance.actual import Reading
from etltctl.governance.desired import CatalogView, is_same_principal, resource_of, waiting_tables
from etltctl.governance.model import EVERYBODY, SERVICE_LINKED, State

if TYPE_CHECKING:
    from etltctl.settings import Settings
    from etltctl.settings.governance import DataFilter

NARROWED = frozenset({"filter", "column", "except"})
LITERAL = re.compile(r"'(?:[^']|'')*'")
WORD = re.compile(r'"([^"]+)"|([A-Za-z_][A-Za-z0-9_]*)\s*(\()?')
WORDS_OF_SQL = frozenset(
    {
        "and", "or", "not", "in", "is", "null", "like", "ilike", "escape", "between", "true", "false", "exists",
        "case", "when", "then", "else", "end", "cast", "as", "date", "timestamp", "time", "interval", "year", "month",
        "day", "hour", "minute", "second", "int", "integer", "bigint", "smallint", "tinyint", "double", "float",
        "real", "decimal", "varchar", "char", "string", "boolean",
    }
)  # fmt: skip


def contradictions(settings: Settings, catalog: CatalogView) -> Iterator[str]:
    """Yield everything in the settings that the catalog contradicts, with its place in the file."""
    # A table that a pipeline makes may be missing before its first run.
    written = {*settings.versioned_tables(), *settings.stream_tables()}
    for place, table, columns, is_narrowing in _mentions(settings):
        view = catalog.tables.get(resource_of(table, settings))
        at = settings.place_of("governance", *place)
        if view is None:
            if table not in written:
                yield f"{at}: the catalog has no table {table}, and no job or source makes one"
            continue
        if is_narrowing and view.is_view:
            yield f"{at}: {table} is a view; Lake Formation filters tables only"
        for column in columns:
            if column.lower() not in view.columns:
                yield f"{at}: {table} has no column {column}"
    yield from _row_problems(settings, catalog)


def _mentions(settings: Settings) -> Iterator[tuple[tuple[str, ...], str, list[str], bool]]:
    """Yield every table that the settings name: the place, the table, its columns, and whether it is narrowed."""
    governance = settings.governance
    for place in governance.assign:
        layer, *rest = place.split(".")
        if rest:
            yield ("assign", place), f"{layer}.{rest[0]}", rest[1:], False
    for table, named in governance.filters.items():
        for name, row_filter in named.items():
            columns = [*row_filter.columns, *row_filter.exclude_columns]
            yield ("filters", table, name), table, columns, True
    for number, grant in enumerate(governance.grants):
        if grant.table:
            columns = [*grant.columns, *grant.exclude_columns]
            yield ("grants", str(number)), grant.table, columns, bool(columns or grant.filters)
    for number, item in enumerate(governance.opt_ins):
        if item.table:
            yield ("opt_ins", str(number)), item.table, [], False


def _row_problems(settings: Settings, catalog: CatalogView) -> Iterator[str]:
    for table, named in settings.governance.filters.items():
        view = catalog.tables.get(resource_of(table, settings))
        if view is None:
            continue
        for name, row_filter in named.items():
            at = settings.place_of("governance", "filters", table, name, "rows")
            yield from (f"{at}: {problem}" for problem in _row_problem(table, view, row_filter))


def _row_problem(table: str, view: TableView, row_filter: DataFilter) -> Iterator[str]:
    if ";" in LITERAL.sub("", row_filter.rows):
        yield "rows is one expression, as after WHERE"
    for column in row_columns(row_filter.rows):
        kind = view.types.get(column.lower())
        if kind is None:
            yield f"{table} has no column {column}"
        elif kind.startswith(("array", "map", "struct")):
            yield f"{column} of {table} is of type {kind}; Lake Formation filters rows by plain columns only"


def row_columns(rows: str) -> list[str]:
    """Return the columns that a row expression names: its words that are not SQL's, functions or literals."""
    # Literals go first: a word within quotes is not a column.
    words = WORD.finditer(LITERAL.sub("''", rows))
    names = [word[1] or word[2] for word in words if word[1] or not word[3]]
    return list(dict.fromkeys(name for name in names if name.lower() not in WORDS_OF_SQL))


def warnings(settings: Settings, reading: Reading, desired: State, identity: Identity) -> Iterator[str]:
    """Yield what is allowed and probably not meant."""
    if waiting := waiting_tables(settings, reading.catalog):
        yield f"not in the catalog yet, so left out: {', '.join(waiting)}; plan again when the pipeline has made them"
    yield from _unmanaged(reading, desired)
    yield from _void_filters(desired, reading.catalog.tables.values())
    if desired.filters and not settings.governance.location_role:
        yield "governance.location_role is not set: filters count only for locations that are registered"
    for arn, location in desired.locations.items():
        now = reading.state.locations.get(arn)
        if now is not None and now != location and SERVICE_LINKED in now.role:
            yield f"{arn} is registered with the service-linked role, which cannot be changed: deregister it by hand"
    admins = settings.governance.admins
    named = [identity.arn_of(name) for name in admins or ()]
    if admins is not None and not any(is_same_principal(name, identity.principal) for name in named):
        yield f"governance.admins leaves out {identity.principal}, the caller: if it is one now, it stays one"


def _unmanaged(reading: Reading, desired: State) -> Iterator[str]:
    """Yield what opens governed tables and stays, because the settings do not name its principal or its LF-tag."""
    tables, scope = reading.catalog.tables.values(), reading.scope
    strangers = {
        grant.principal
        for grant in reading.unmanaged
        if grant.permission in READS
        and scope.covers(grant.resource)
        and scope.protected.isdisjoint({grant.principal, (grant.principal, grant.resource)})
    }
    if strangers:
        names = ", ".join(sorted(strangers))
        yield f"not managed, and granted data of governed databases: {names}; governance.principals takes them in"
    for grant in sorted(reading.state.grants - desired.grants):
        opens = [table for table in tables if tagged_columns(grant.resource, reading.state, table)]
        if grant.resource.kind == "tables" and not scope.covers(grant.resource) and opens:
            keys = ", ".join(
                f"{key} = []" for key, _ in grant.resource.expression if key not in scope.tag_keys
            )
            opened = f"{opens[0].database}.{opens[0].name}"
            yield f"{grant.principal} sees {opened} through {grant.resource}; governance.tags with {keys} ends that"


def _void_filters(desired: State, tables: Iterable[TableView]) -> Iterator[str]:
    """Yield the filters that a wider grant to the same principal makes pointless: grants only add up."""
    reads = [grant for grant in desired.grants if grant.permission in READS and not grant.grantable]
    narrowed = sorted({(g.principal, g.resource.key[:2]) for g in reads if g.resource.kind in NARROWED})
    by_table = {table.resource.key: table for table in tables}
    # Lake Formation adds grants up, so the widest one decides what a principal sees.
    for principal, key in narrowed:
        table = by_table.get(key)
        for grant in sorted(reads):
            if table is None or grant.principal not in {principal, EVERYBODY}:
                continue
            is_tagged = grant.resource.kind == "tables" and tagged_columns(grant.resource, desired, table)
            is_whole = grant.resource.kind == "table" and grant.resource.key in {key, (key[0], "*")}
            if is_tagged or is_whole:
                yield f"{principal} sees {'.'.join(key)} through a filter and also {grant.resource}: the filter is void"
