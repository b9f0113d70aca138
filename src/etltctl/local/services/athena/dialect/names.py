"""Names: the tables that a query reads, the columns that its expressions can name, and those that it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import QueryError, place, unsupported
from etltctl.local.services.athena.dialect.trino_types import Type
from etltctl.local.services.athena.dialect.values import Value
from etltctl.values import quoted_name

PATH = "$path"
VERSION = "etltctl.version"  # the metadata of an identifier that names a version of a table
HIDDEN_COLUMNS = {"$bucket", "$partition", "$file_size", "$file_modified_time", "$row_id"}
CATALOG = "awsdatacatalog"
METADATA = "information_schema"  # the schema whose tables describe the catalog
DUCKDB_SCHEMAS = (METADATA, "pg_catalog")  # DuckDB keeps these names for itself


@dataclass(frozen=True)
class TableName:
    """A table that a query names, the place of its name in the statement, and the version that is read.

    The server sets the version when it reads a clause of time travel. No name that a user writes has one.
    """

    database: str
    name: str
    line: int = 1
    column: int = 1
    version: str = ""


def schema_in_duckdb(database: str) -> str:
    """Return the name of the schema of DuckDB that has the tables of a database, as SQL quotes it."""
    return quoted_name(f"{database} of Athena" if database in DUCKDB_SCHEMAS else database)


def tables_of(query: exp.Expr, default_database: str) -> list[TableName]:
    """Return the tables of the catalog that the query reads, without the queries of its WITH.

    Raises:
        QueryError: FUNCTION_NOT_FOUND for a table function, CATALOG_NOT_FOUND for another catalog.
    """
    # A query of the WITH hides a table of the same name.
    own = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    names: dict[tuple[str, str], TableName] = {}
    for table in query.find_all(exp.Table):
        if isinstance(table.this, exp.Func):  # one of DuckDB's own would read files past every grant
            named = table.this.name if isinstance(table.this, exp.Anonymous) else table.this.sql_name()
            raise QueryError(
                "FUNCTION_NOT_FOUND", f"{place(table)}: Table function '{named.lower()}' not registered"
            )
        if table.catalog and table.catalog.lower() != CATALOG:
            raise QueryError("CATALOG_NOT_FOUND", f"{place(table)}: Catalog '{table.catalog}' does not exist")
        if not table.name or (not table.db and table.name.lower() in own):
            continue
        meta = table.this.meta if isinstance(table.this, exp.Identifier) else {}
        width = len(table.name) + 2 * bool(table.this.args.get("quoted"))
        at = (meta.get("line", 1), meta.get("col", 1) - width + 1 if meta.get("col") else 1)
        database = (table.db or default_database).lower()
        name = TableName(database, table.name.lower(), *at, version=meta.get(VERSION, ""))
        names.setdefault((name.database, name.name), name)
    return list(names.values())


@dataclass(frozen=True)
class Field:
    """A column of a relation in FROM: the SQL that reads it, and the names that a query can use for it."""

    name: str | None
    type: Type
    sql: str
    table: str | None = None
    database: str | None = None
    is_hidden: bool = False  # `*` does not show it

    def is_named(self, parts: Sequence[str]) -> bool:
        """Return whether `[catalog, database, table,] column`, in lower case, names this column."""
        if self.name is None or self.name.lower() != parts[-1]:
            return False
        mine = [self.table, self.database, CATALOG]
        qualifiers = list(reversed(parts[:-1]))
        return all(
            own is not None and own.lower() == part for part, own in zip(qualifiers, mine, strict=False)
        )


@dataclass(frozen=True)
class Scope:
    """The columns that a query's expressions can name, and the scope of the query around it."""

    fields: Sequence[Field] = ()
    parent: Scope | None = None
    narrowed: bool = field(default=False)

    def resolve(self, parts: Sequence[str], node: exp.Expr) -> tuple[Value, list[str]]:
        """Return the column that the longest beginning of a dotted name means, and the rest of the name.

        Raises:
            QueryError: COLUMN_NOT_FOUND, AMBIGUOUS_NAME if two columns have the name, or NOT_SUPPORTED for a
                hidden column of every table, such as "$path".
        """
        lowered = [part.lower() for part in parts]
        scope: Scope | None = self
        while scope is not None:
            # `a.b.c` is column c of table a.b, field c of column a.b, or field b.c of column a. The longest name
            # of a column wins, as in Trino.
            for length in range(min(len(parts), 4), 0, -1):
                matches = [known for known in scope.fields if known.is_named(lowered[:length])]
                if len(matches) > 1:
                    raise QueryError(
                        "AMBIGUOUS_NAME", f"{place(node)}: Column '{'.'.join(parts)}' is ambiguous"
                    )
                if matches:
                    return Value(matches[0].sql, matches[0].type), list(parts[length:])
            # A name that this query lacks may be one of the query around it: that makes a correlated
            # subquery.
            scope = scope.parent
        if lowered[-1] in HIDDEN_COLUMNS:
            raise unsupported(f'the hidden column "{lowered[-1]}"')
        # Athena adds these words if Lake Formation hides columns from the caller.
        hint = " or requester is not authorized to access requested resources" if self.is_narrowed else ""
        raise QueryError(
            "COLUMN_NOT_FOUND", f"{place(node)}: Column '{'.'.join(parts)}' cannot be resolved{hint}"
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether the caller does not see every column of a table in reach."""
        return self.narrowed or (self.parent is not None and self.parent.is_narrowed)


@dataclass(frozen=True)
class Output:
    """An output column: its name for the reader, its type, and its unique name in DuckDB."""

    name: str | None
    type: Type
    duckdb_name: str


@dataclass(frozen=True)
class Query:
    """A translated query: DuckDB's SQL and its output columns."""

    sql: str
    columns: Sequence[Output]


@dataclass(frozen=True)
class CommonTable:
    """A query of a WITH: the name it has in DuckDB, and its columns."""

    duckdb_name: str
    columns: Sequence[Output]


def cast_columns(query: Query, columns: Sequence[Output]) -> Query:
    """Return the query with its columns cast to the types, and under the names, of these columns."""
    same = all(
        a.type.duckdb == b.type.duckdb and a.duckdb_name == b.duckdb_name
        for a, b in zip(query.columns, columns, strict=True)
    )
    if same and not any(a.type.is_("unknown") for a in query.columns):
        return Query(query.sql, columns)
    select_list = ", ".join(
        f"{coerced_sql(Value(f'v.{quoted_name(mine.duckdb_name)}', mine.type), column.type)} AS "
        f"{quoted_name(column.duckdb_name)}"
        for mine, column in zip(query.columns, columns, strict=True)
    )
    return Query(f"SELECT {select_list} FROM ({query.sql}) v", columns)


def coerced_sql(value: Value, kind: Type) -> str:
    """Return the SQL of the value as a type that it is coerced to."""
    return casts.coerced(value, kind).sql


def renamed(columns: Sequence[Output], names: Sequence[str], node: exp.Expr) -> list[Output]:
    """Return the columns under the names that an alias gives them."""
    if names and len(names) != len(columns):
        raise QueryError(
            "MISMATCHED_COLUMN_ALIASES",
            f"{place(node)}: Column alias list has {len(names)} entries but relation has {len(columns)} columns",
        )
    if not names:
        return list(columns)
    return [replace(column, name=name) for column, name in zip(columns, names, strict=True)]


def refuse_grouping(kinds: Sequence[Type], clause: str) -> None:
    """Refuse types that cannot be grouped, or that DuckDB groups differently from Trino."""
    for kind in kinds:
        # Trino groups by the instant. DuckDB would group the struct, so by the zone, too.
        if kind.is_zoned and kind.zone is None:
            raise unsupported(f"{clause} on timestamps with different time zones")
        if kind.is_("map", "json"):
            raise unsupported(f"{clause} on {kind.name}")
