"""Relations: the tables, subqueries and joins of FROM, with the names and types of their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import QueryError, mismatch, place, unsupported
from etltctl.local.services.athena.dialect.expressions import Expressions
from etltctl.local.services.athena.dialect.names import (
    CATALOG,
    METADATA,
    PATH,
    Field,
    Output,
    Scope,
    renamed,
    schema_in_duckdb,
)
from etltctl.local.services.athena.dialect.trino_types import BIGINT, VARCHAR, Type
from etltctl.local.services.athena.dialect.values import Value, member
from etltctl.values import quoted_name

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.queries import Queries

Tables = Mapping[str, Mapping[str, Mapping[str, Type]]]  # database → table → column → type


def from_clause(queries: Queries, node: exp.Select, outer: Scope | None) -> tuple[str, Scope]:
    """Translate FROM and its joins; return the SQL (empty without FROM) and the columns that can be named."""
    from_ = node.args.get("from_")
    if from_ is None:
        return "", Scope((), outer)
    sql, fields = relation(queries, from_.this, Scope((), outer))
    if node.args.get("sample") is not None:
        if node.args.get("joins"):
            # sqlglot keeps the sample with the SELECT, so DuckDB would sample the join.
            raise unsupported("TABLESAMPLE before a JOIN")
        sql += _sample(node)
    sql, fields = _joined(queries, node.args.get("joins") or (), sql, fields, outer)
    return f" FROM {sql}", Scope(fields, outer)


def _joined(
    queries: Queries, joins: Sequence[exp.Expr], sql: str, fields: list[Field], outer: Scope | None
) -> tuple[str, list[Field]]:
    for join in joins:
        sql, fields = _join(queries, join, sql, fields, outer)
    return sql, fields


def relation(queries: Queries, node: exp.Expr, scope: Scope) -> tuple[str, list[Field]]:
    """Translate one relation. `scope` holds the columns that UNNEST and LATERAL can name."""
    if isinstance(node, exp.Table):
        sql, fields = _table(queries, node, scope)
    elif isinstance(node, exp.Unnest):
        sql, fields = _unnest(queries, node, scope)
    elif isinstance(node, exp.Lateral):
        sql, fields = _lateral(queries, node, scope)
    elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
        sql, fields = relation(queries, node.this, scope)
        sql = f"({sql})"
    elif isinstance(node, exp.Subquery | exp.Values):
        sql, fields = _derived(queries, node, scope)
    else:
        raise unsupported(f"{node.key.upper()} in FROM")
    for key in ("pivots", "match", "laterals", "version", "system_time", "hints", "only", "partition"):
        if node.args.get(key):
            raise unsupported(f"{key.upper()} in FROM")
    if not isinstance(node, exp.Unnest | exp.Lateral):
        sql, fields = _joined(queries, node.args.get("joins") or (), sql, fields, scope.parent)
    return sql, fields


def _table(queries: Queries, node: exp.Table, scope: Scope) -> tuple[str, list[Field]]:
    if not isinstance(node.this, exp.Identifier):
        name = node.this.name or node.this.key
        raise QueryError(
            "FUNCTION_NOT_FOUND", f"{place(node)}: Table function '{name.lower()}' not registered"
        )
    names, duckdb_name = _alias(node), queries.fresh()
    # Names of the WITH go first, unless a database is written before the name.
    common = queries.common_tables.get(node.name.lower()) if not node.db else None
    if common is not None:
        sql = f"{common.duckdb_name} AS {duckdb_name}{_sample(node)}"
        fields = fields_of(common.columns, names or node.name, duckdb_name, node)
        return sql, fields
    if node.catalog and node.catalog.lower() != CATALOG:
        raise QueryError("CATALOG_NOT_FOUND", f"{place(node)}: Catalog '{node.catalog}' does not exist")
    database, name = (node.db or queries.database).lower(), node.name.lower()
    columns = queries.tables.get(database, {}).get(name)
    if columns is None:
        raise QueryError(
            "TABLE_NOT_FOUND", f"{place(node)}: Table '{CATALOG}.{database}.{name}' does not exist"
        )
    outputs = [Output(column, kind, column) for column, kind in columns.items()]
    fields = fields_of(outputs, names or name, duckdb_name, node)
    if database != METADATA and "$" not in name:
        path = Field(PATH, VARCHAR, f"{duckdb_name}.{quoted_name(PATH)}", names[0] if names else name)
        fields = [*fields, replace(path, is_hidden=True)]
    if not names:
        fields = [replace(known, database=database) for known in fields]
    return f"{schema_in_duckdb(database)}.{quoted_name(name)} AS {duckdb_name}{_sample(node)}", fields


def _derived(queries: Queries, node: exp.Expr, scope: Scope) -> tuple[str, list[Field]]:
    bare = node.copy()
    bare.set("alias", None)
    bare.set("joins", None)
    inner = queries.query(bare, scope.parent if not scope.fields else scope)
    duckdb_name = queries.fresh()
    return f"({inner.sql}) AS {duckdb_name}{_sample(node)}", fields_of(
        inner.columns, _alias(node), duckdb_name, node
    )


def _lateral(queries: Queries, node: exp.Lateral, scope: Scope) -> tuple[str, list[Field]]:
    inner = queries.query(node.this, scope)
    duckdb_name = queries.fresh()
    return f"LATERAL ({inner.sql}) AS {duckdb_name}", fields_of(
        inner.columns, _alias(node), duckdb_name, node
    )


def _unnest(queries: Queries, node: exp.Unnest, scope: Scope) -> tuple[str, list[Field]]:
    duckdb_name = queries.fresh()
    items, fields = _unnested(queries, node, scope, duckdb_name)
    return f"LATERAL (SELECT {', '.join(items)}) AS {duckdb_name}", fields


def _cross_unnest(
    queries: Queries, node: exp.Unnest, sql: str, fields: list[Field], outer: Scope | None
) -> tuple[str, list[Field]]:
    """Translate CROSS JOIN UNNEST as a select list over the left side: a lateral join would lose its order."""
    duckdb_name = queries.fresh()
    items, theirs = _unnested(queries, node, Scope(fields, outer), duckdb_name)
    kept = [f"{known.sql} AS k{index}" for index, known in enumerate(fields)]
    mine = [replace(known, sql=f"{duckdb_name}.k{index}") for index, known in enumerate(fields)]
    return f"(SELECT {', '.join([*kept, *items])} FROM {sql}) AS {duckdb_name}", [*mine, *theirs]


def _unnested(
    queries: Queries, node: exp.Unnest, scope: Scope, duckdb_name: str
) -> tuple[list[str], list[Field]]:
    """Translate UNNEST: arrays side by side, the shorter filled with nulls.

    A map gives two columns, an array of rows one for each field.
    """
    compiler = Expressions(scope, queries)
    values = [compiler.value(item) for item in node.expressions]
    inside: list[str] = []  # the lists to unnest, side by side
    outside: list[tuple[str | None, Type, str]] = []  # the columns over it
    for value in values:
        if value.type.is_("map"):
            for function, kind in zip(("map_keys", "map_values"), value.type.inners, strict=True):
                outside.append((None, kind, f"{duckdb_name}.u{len(inside)}"))
                inside.append(f"{function}({value.sql})")
        elif value.type.is_("array") and value.type.element.is_("row"):
            element = value.type.element
            names = element.fields or (None,) * len(element.inners)
            for name, inner, kind in zip(names, element.field_names, element.inners, strict=True):
                outside.append((name, kind, member(f"{duckdb_name}.u{len(inside)}", inner)))
            inside.append(value.sql)
        elif value.type.is_("array"):
            outside.append((None, value.type.element, f"{duckdb_name}.u{len(inside)}"))
            inside.append(value.sql)
        else:
            raise mismatch(f"Cannot unnest type: {value.type}", node)
    offset = node.args.get("offset")
    items = [f"unnest({sql}) AS u{index}" for index, sql in enumerate(inside)]
    if offset:
        # WITH ORDINALITY counts up to the longest array.
        longest = ", ".join(f"coalesce(len({sql}), 0)" for sql in inside)
        outside.append((None, BIGINT, f"{duckdb_name}.ordinal"))
        items.append(f"unnest(range(1, greatest({longest}) + 1)) AS ordinal")
    alias = _alias(node)
    # sqlglot takes the last name of `AS t(x, n)` for the ordinality.
    if isinstance(alias, tuple) and isinstance(offset, exp.Identifier):
        alias = (alias[0], [*alias[1], offset.name])
    table, column_names = alias or (None, [])
    outputs = renamed([Output(name, kind, sql) for name, kind, sql in outside], column_names, node)
    return items, [Field(column.name, column.type, column.duckdb_name, table) for column in outputs]


def _join(
    queries: Queries, join: exp.Expr, sql: str, fields: list[Field], outer: Scope | None
) -> tuple[str, list[Field]]:
    side, kind = str(join.args.get("side") or "").upper(), str(join.args.get("kind") or "").upper()
    method = str(join.args.get("method") or "").upper()
    if any(
        join.args.get(key) for key in ("global_", "hint", "match_condition", "nearest", "directed", "pivots")
    ):
        raise unsupported("this kind of JOIN")
    on, using = join.args.get("on"), join.args.get("using")
    if isinstance(join.this, exp.Unnest) and not (
        side or method or using or on is not None or kind == "INNER"
    ):
        return _cross_unnest(queries, join.this, sql, fields, outer)
    right, theirs = relation(queries, join.this, Scope(fields, outer))
    word = f"{side} JOIN" if side else ("JOIN" if on is not None or using or method else "CROSS JOIN")
    if method == "NATURAL":
        raise QueryError("NOT_SUPPORTED", f"{place(join)}: Natural join not supported")
    if using:
        return _using(join, f"{sql} {word} {right}", fields, theirs)
    if on is None:
        return f"{sql} CROSS JOIN {right}", [*fields, *theirs]
    both = [*fields, *theirs]
    condition = Expressions(Scope(both, outer), queries).condition(on, "JOIN ON clause")
    return f"{sql} {word} {right} ON {condition}", both


def _using(join: exp.Expr, sql: str, left: list[Field], right: list[Field]) -> tuple[str, list[Field]]:
    """Translate JOIN … USING: the shared columns come first, once, and belong to neither side."""
    conditions, shared, gone = [], [], []
    for identifier in join.args["using"]:
        name = identifier.name.lower()
        pair = []
        for fields, side in ((left, "left"), (right, "right")):
            matches = [known for known in fields if known.name is not None and known.name.lower() == name]
            if len(matches) != 1:
                raise QueryError(
                    "COLUMN_NOT_FOUND", f"{place(join)}: Column '{name}' is missing from {side} side of join"
                )
            pair.append(matches[0])
        kind = casts.common_type(pair[0].type, pair[1].type)
        if kind is None:
            raise mismatch(
                f"Column Types of left and right side are not compatible: {pair[0].type}, {pair[1].type}",
                join,
            )
        values = [casts.coerced(Value(known.sql, known.type), kind) for known in pair]
        # A USING of DuckDB's would compare by its own rules, so the condition is written out.
        one, other = (value.instant if kind.is_zoned else value.sql for value in values)
        conditions.append(f"{one} = {other}")
        # After a FULL JOIN either side may be null, so the shared column takes the side that is not.
        joined = f"coalesce({values[0].sql}, {values[1].sql})"
        shared.append(Field(pair[0].name, kind, joined))
        gone += pair
    rest = [known for known in (*left, *right) if known not in gone]
    return f"{sql} ON {' AND '.join(conditions)}", [*shared, *rest]


def fields_of(
    columns: Sequence[Output], alias: tuple[str, list[str]] | str | None, duckdb_name: str, node: exp.Expr
) -> list[Field]:
    """Return the columns of a relation that has this name in DuckDB, under the alias in the statement."""
    table, names = alias if isinstance(alias, tuple) else (alias, list[str]())
    return [
        Field(column.name, column.type, f"{duckdb_name}.{quoted_name(column.duckdb_name)}", table)
        for column in renamed(columns, names, node)
    ]


def _alias(node: exp.Expr) -> tuple[str, list[str]] | None:
    alias = node.args.get("alias")
    if alias is None:
        return None
    columns = (
        alias.columns if isinstance(alias, exp.TableAlias) else ()
    )  # the query of a view gets an alias that is a bare name
    return alias.name, [column.name for column in columns]


def _sample(node: exp.Expr) -> str:
    sample = node.args.get("sample")
    if sample is None:
        return ""
    # SYSTEM samples whole splits in Trino. Single rows are as good a random answer.
    return f" TABLESAMPLE bernoulli({float(sample.args['percent'].name)} PERCENT)"
