"""Queries: SELECT, VALUES, set operations and WITH become DuckDB's SQL; every output column has Trino's type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import (
    QueryError,
    failure,
    mismatch,
    place,
    syntax,
    unsupported,
)
from etltctl.local.services.athena.dialect.expressions import Expressions
from etltctl.local.services.athena.dialect.names import (
    CommonTable,
    Output,
    Query,
    Scope,
    cast_columns,
    coerced_sql,
    refuse_grouping,
    renamed,
)
from etltctl.local.services.athena.dialect.selects import select, window
from etltctl.local.services.athena.dialect.trino_types import BOOLEAN, Type
from etltctl.local.services.athena.dialect.values import Udf, Value
from etltctl.values import quoted_name, quoted_text

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.relations import Tables


CLAUSES = (
    "with_", "kind", "expressions", "distinct", "from_", "joins", "where", "group", "having", "windows", "order",
    "limit", "offset", "this", "expression", "alias", "side", "sample",
)  # fmt: skip


DEEPEST = 10  # recursions, Trino's default


@dataclass
class Queries:
    """The translator of one statement's queries."""

    tables: Tables
    database: str
    udfs: dict[str, Udf] = field(default_factory=dict)
    common_tables: Mapping[str, CommonTable] = field(default_factory=dict)
    windows: Mapping[str, exp.Expr] = field(default_factory=dict)
    _names: list[int] = field(default_factory=lambda: [0])

    def fresh(self) -> str:
        """Return a name that no other relation of the statement has in DuckDB."""
        self._names[0] += 1
        return f"r{self._names[0]}"

    def query(self, node: exp.Expr, outer: Scope | None = None) -> Query:
        """Translate a query.

        Args:
            node: the query.
            outer: the scope of the query around it; None if there is none.
        """
        _refuse_unknown_clauses(node)
        with_ = node.args.get("with_")
        if with_ is None:
            return self._body(node, outer)
        inner = replace(self, common_tables=dict(self.common_tables))
        parts = [
            inner._common(cte, outer, is_recursive=bool(with_.args.get("recursive")))
            for cte in with_.expressions
        ]
        body = inner._body(node, outer)
        word = "WITH RECURSIVE" if with_.args.get("recursive") else "WITH"
        return Query(f"{word} {', '.join(parts)} {body.sql}", body.columns)

    def order_keys(self, order: exp.Expr, compiler: Expressions) -> str:
        """Translate the keys of an ORDER BY that cannot name output columns."""
        return ", ".join(self._key(key, compiler.value(key.this)) for key in order.expressions)

    def window(self, node: exp.Expr, compiler: Expressions) -> str:
        """Translate the window after OVER."""
        return window(self, node, compiler)

    def _key(self, key: exp.Expr, value: Value) -> str:
        if value.type.is_("map", "json", "function") or key.args.get("with_fill"):
            raise mismatch(
                f"Type {value.type} is not orderable, and therefore cannot be used in ORDER BY", key
            )
        # Trino puts nulls last in both directions unless the query says otherwise.
        nulls = "NULLS FIRST" if key.args.get("nulls_first") else "NULLS LAST"
        sql = value.instant if value.type.is_zoned else value.sql
        if nulls == "NULLS FIRST":
            sql = value.nan_least if value.type.is_floating else sql
        return f"{sql} {'DESC' if key.args.get('desc') else 'ASC'} {nulls}"

    def _common(self, cte: exp.Expr, outer: Scope | None, *, is_recursive: bool) -> str:
        names = [column.name for column in cte.args["alias"].columns]
        # A fresh name, so that a query of the WITH cannot hide a table of the catalog in DuckDB.
        name = f"c_{self.fresh()}"
        body = cte.this
        if is_recursive and isinstance(body, exp.Union) and names:
            first = self.query(body.this, outer)
            columns = renamed(first.columns, names, cte)
            # Trino ends a recursion after ten steps with an error, where DuckDB would go on: `SELECT n + 1
            # FROM t`.
            if not body.args.get("distinct") and _names_itself(cte):
                return self._unrolled(cte, name, cast_columns(first, columns), outer)
            self._add_common_table(cte, name, columns)
            second = self.query(body.expression, outer)
            if [c.type.name for c in first.columns] != [c.type.name for c in second.columns]:
                raise mismatch("recursion step relation output type is not the base relation's type", cte)
            first, second = cast_columns(first, columns), cast_columns(second, columns)
            all_ = "" if body.args.get("distinct") else " ALL"
            return f"{name} AS ({first.sql} UNION{all_} {second.sql})"
        inner = self.query(body, outer)
        self._add_common_table(cte, name, renamed(inner.columns, names, cte))
        return f"{name} AS ({inner.sql})"

    def _add_common_table(self, cte: exp.Expr, duckdb_name: str, columns: Sequence[Output]) -> None:
        """Let the rest of the statement read a query of a WITH by its name."""
        self.common_tables = {**self.common_tables, cte.alias.lower(): CommonTable(duckdb_name, columns)}

    def _unrolled(self, cte: exp.Expr, name: str, first: Query, outer: Scope | None) -> str:
        """Write out a recursion step by step, as Trino does. A step after the last one must not have a row."""
        parts = [f"{name}_0 AS MATERIALIZED ({first.sql})"]
        for depth in range(1, DEEPEST + 2):
            self._add_common_table(cte, f"{name}_{depth - 1}", first.columns)
            step = self.query(cte.this.expression, outer)
            if [c.type.name for c in first.columns] != [c.type.name for c in step.columns]:
                raise mismatch("recursion step relation output type is not the base relation's type", cte)
            parts.append(f"{name}_{depth} AS MATERIALIZED ({cast_columns(step, first.columns).sql})")
        message = (
            f"Recursion depth limit exceeded ({DEEPEST}). "
            "Use 'max_recursion_depth' session property to modify the limit."
        )
        # The count, of which nothing is shown, keeps DuckDB from raising the error where there is no row.
        refusal = failure(
            BOOLEAN, "NOT_SUPPORTED", quoted_text(message), "left(CAST(count(*) AS VARCHAR), 0)"
        )
        is_deeper = f"SELECT CASE WHEN count(*) > 0 THEN {refusal} ELSE false END FROM {name}_{DEEPEST + 1}"
        steps = " UNION ALL ".join(f"SELECT * FROM {name}_{depth}" for depth in range(DEEPEST + 1))
        last = f"SELECT * FROM {name}_{DEEPEST + 1} WHERE ({is_deeper})"
        self._add_common_table(cte, name, first.columns)
        return f"{', '.join(parts)}, {name} AS ({steps} UNION ALL {last})"

    def _body(self, node: exp.Expr, outer: Scope | None) -> Query:
        if isinstance(node, exp.Subquery):
            inner = self.query(node.this, outer)
            if not any(node.args.get(key) for key in ("order", "limit", "offset")):
                return inner
            # `(SELECT … LIMIT 5) LIMIT 3`: the inner limit is inside, so the outer one needs another query.
            wrapped = Query(f"SELECT * FROM ({inner.sql}) {self.fresh()}", inner.columns)
            return self._ended(node, wrapped, Expressions(Scope((), outer), self))
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, outer)
        if isinstance(node, exp.Values):
            return self._values(node, outer)
        if isinstance(node, exp.Select):
            return select(self, node, outer)
        raise unsupported(node.key.upper())

    def _set_operation(self, node: exp.SetOperation, outer: Scope | None) -> Query:
        left, right = self.query(node.this, outer), self.query(node.expression, outer)
        word = node.key.upper()
        if len(left.columns) != len(right.columns):
            raise mismatch(
                f"{word} query has different number of fields: {len(left.columns)}, {len(right.columns)}"
            )
        columns = []
        for index, (one, other) in enumerate(zip(left.columns, right.columns, strict=True), 1):
            kind = casts.common_type(one.type, other.type)
            if kind is None:
                raise mismatch(
                    f"column {index} in {word} query has incompatible types: {one.type}, {other.type}", node
                )
            # The names of the columns are those of the first query.
            columns.append(Output(one.name, kind, one.duckdb_name))
        is_all = not node.args.get("distinct")
        # UNION without ALL compares rows, so it can have no column that cannot be grouped.
        if not is_all:
            refuse_grouping([column.type for column in columns], word)
        first, second = cast_columns(left, columns).sql, cast_columns(right, columns).sql
        both = f"({first}) {word}{' ALL' if is_all else ''} ({second})"
        query = Query(f"SELECT * FROM ({both}) {self.fresh()}", columns)
        return self._ended(node, query, Expressions(Scope((), outer), self))

    def _values(self, node: exp.Values, outer: Scope | None) -> Query:
        compiler = Expressions(Scope((), outer), self)
        rows = []
        for item in node.expressions:
            items = item.expressions if isinstance(item, exp.Tuple) else [item]
            rows.append([compiler.value(value) for value in items])
        widths = {len(values) for values in rows}
        if len(widths) != 1:
            raise mismatch("Values rows have mismatched sizes", node)
        # A column of VALUES has the common type of its rows: `VALUES 1, 2.5` is decimal(11,1).
        kinds = []
        for column in zip(*rows, strict=True):
            kind: Type | None = column[0].type
            for value in column[1:]:
                kind = casts.common_type(kind, value.type) if kind is not None else None
            if kind is None:
                raise mismatch("Values rows have mismatched types", node)
            kinds.append(kind)
        row_list = ", ".join(
            f"({', '.join(coerced_sql(value, kind) for value, kind in zip(values, kinds, strict=True))})"
            for values in rows
        )
        columns = [Output(None, kind, f"c{index}") for index, kind in enumerate(kinds)]
        names = ", ".join(column.duckdb_name for column in columns)
        query = Query(f"SELECT * FROM (VALUES {row_list}) {self.fresh()}({names})", columns)
        return self._ended(node, query, compiler)

    def _ended(self, node: exp.Expr, query: Query, compiler: Expressions) -> Query:
        """Add ORDER BY, OFFSET and LIMIT of a query other than SELECT. Its keys name output columns."""
        order = node.args.get("order")
        keys = ""
        if order is not None:
            outputs = [Value(quoted_name(column.duckdb_name), column.type) for column in query.columns]
            keys = self.output_keys(order, query.columns, outputs, compiler)
        return Query(query.sql + (f" ORDER BY {keys}" if keys else "") + self.limited(node), query.columns)

    def output_keys(
        self, order: exp.Expr, columns: Sequence[Output], values: Sequence[Value], compiler: Expressions
    ) -> str:
        """Translate the keys of an ORDER BY: a position, an output column, or any expression."""
        named: dict[str, Value] = {}
        for column, value in zip(columns, values, strict=True):
            if column.name is not None:
                named.setdefault(column.name.lower(), value)
        # In ORDER BY an output column hides an input column of the same name.
        inner = replace(compiler, variables={**compiler.variables, **named})
        keys = []
        for key in order.expressions:
            position = key.this
            # `ORDER BY 2` is the second output column, but `ORDER BY 1 + 1` is a constant.
            if isinstance(position, exp.Literal) and not position.is_string and position.name.isdigit():
                keys.append(self._key(key, self.at_position(position, values, "ORDER BY")))
            else:
                keys.append(self._key(key, inner.value(position)))
        return ", ".join(keys)

    def at_position(self, node: exp.Expr, values: Sequence[Value], clause: str) -> Value:
        """Return the output column at a position that a clause names."""
        index = int(node.name)
        if not 1 <= index <= len(values):
            raise QueryError(
                "INVALID_COLUMN_REFERENCE", f"{place(node)}: {clause} position {index} is not in select list"
            )
        return values[index - 1]

    def limited(self, node: exp.Expr) -> str:
        """Translate OFFSET and LIMIT."""
        limit, offset = node.args.get("limit"), node.args.get("offset")
        sql = ""
        if isinstance(limit, exp.Fetch):
            if (options := limit.args.get("limit_options")) and options.args.get("with_ties"):
                raise unsupported("FETCH FIRST WITH TIES here")
            count = limit.args.get("count")
            sql += f" LIMIT {_whole(count) if count is not None else 1}"
        # `LIMIT ALL` limits nothing.
        elif limit is not None and limit.expression.name.upper() != "ALL":
            sql += f" LIMIT {_whole(limit.expression)}"
        if offset is not None:
            sql += f" OFFSET {_whole(offset.expression)}"
        return sql


def _whole(node: exp.Expr) -> str:
    if not isinstance(node, exp.Literal) or node.is_string or not node.name.isdigit():
        raise syntax(f"mismatched input '{node.sql()}'. Expecting: 'ALL', <integer>", node)
    return str(int(node.name))


def _names_itself(cte: exp.Expr) -> bool:
    tables = cte.this.expression.find_all(exp.Table)
    return any(not table.db and table.name.lower() == cte.alias.lower() for table in tables)


def _refuse_unknown_clauses(node: exp.Expr) -> None:
    for key, value in node.args.items():
        if value and key not in CLAUSES and not (isinstance(node, exp.Values) and key == "pivots"):
            raise unsupported(f"the clause {key.upper().strip('_')}")
