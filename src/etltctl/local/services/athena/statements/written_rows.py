"""The rows of a query as a statement writes them: read from DuckDB, written as files, registered as partitions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.athena.dialect import (
    MalformedQueryError,
    QueryError,
    TableName,
    Target,
    Type,
    parse,
)
from etltctl.local.services.athena.dialect.names import Output
from etltctl.local.services.athena.engine import Column, answered
from etltctl.local.services.athena.file_formats import read_format
from etltctl.local.services.athena.statements.hive_tables import require_order
from etltctl.local.services.athena.statements.registry import Execution
from etltctl.local.services.athena.types import hive_type, kept_type
from etltctl.local.services.athena.written_files import Layout, Written

if TYPE_CHECKING:
    import pyarrow as pa

ROWS: list[Column] = [("rows", "bigint", 0, 0)]  # the column of the answer of a statement that fills a table
BATCH = 100  # partitions that Glue registers in one call


@dataclass(frozen=True)
class Rows:
    """The rows of a query, the types of their columns, and the bytes of the files behind them."""

    table: pa.Table
    kinds: Mapping[str, Type]
    scanned: int


def read_query(sql: str) -> exp.Expr:
    """Return the query in a text.

    Raises:
        MalformedQueryError: It is not a query, or not one of Athena's grammar.
    """
    query = parse(sql)
    if not isinstance(query, exp.Query | exp.Values):
        lead = sql[: len(sql) - len(sql.lstrip())]
        line, column = lead.count("\n") + 1, len(lead) - lead.rfind("\n")
        word = sql.split(maxsplit=1)[0]
        raise MalformedQueryError(f"line {line}:{column}: mismatched input '{word}'. Expecting: <query>")
    return query


def rows_of(execution: Execution, query: exp.Expr, target: Target, *, is_empty: bool = False) -> Rows:
    """Run a query and return its rows as the columns of a table.

    Args:
        execution: the statement around the query.
        query: the query, as `read_query` returned it.
        target: the columns of the table.
        is_empty: whether the columns are wanted without a row.
    """
    if is_empty:
        # A limit on the query itself would replace its own one and keep its ORDER BY.
        query = exp.select("*").from_(exp.Subquery(this=query, alias=exp.to_identifier("v"))).limit(0)
    return rows_of_query(execution, query, target)


def rows_of_query(
    execution: Execution, query: exp.Expr, target: Target, parameters: Sequence[str] | None = None
) -> Rows:
    """Run a query that is parsed, and return its rows as the columns of a table.

    Args:
        execution: the statement around the query.
        query: the query.
        target: the columns of the table.
        parameters: the values of the query's `?`; None for those of the statement.
    """
    values = execution.parameters if parameters is None else parameters
    place = (values, execution.database, execution.engine, execution.lake, execution.on_plan)
    with (
        answered(query, *place, target) as (done, translation, scanned),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)  # of a copy that does not matter here
        table: pa.Table = done.to_arrow_table()
    kinds = dict(translation.columns)
    return Rows(table.rename_columns(list(kinds)), kinds, scanned)


def kept_by_hive(kind: Type) -> Type:
    """Return the type that a column of a Hive table has for one of a query.

    Raises:
        QueryError: NOT_SUPPORTED if Hive has no such type.
    """
    hive_type(kind)
    return kept_type(kind)


def new_columns(
    partitioned_by: Sequence[str] = (),
    names: Sequence[str] = (),
    *,
    needs_names: bool = False,
    kept: Callable[[Type], Type] = kept_by_hive,
) -> Target:
    """Return the columns of a new table for those of a query.

    Args:
        partitioned_by: the partition columns.
        names: the names of the columns; empty for those of the query.
        needs_names: whether every column of the query must have a name.
        kept: returns the type that a column of the table has. It raises QueryError for one that the table cannot keep.
    """

    def columns(outputs: Sequence[Output]) -> Sequence[tuple[str, Type]]:
        if names and len(names) != len(outputs):
            raise QueryError(
                "MISMATCHED_COLUMN_ALIASES",
                f"line 1:1: Column alias list has {len(names)} entries but relation has {len(outputs)} columns",
            )
        named = []
        for index, output in enumerate(outputs):
            name = names[index] if names else output.name
            if name is None and needs_names:
                raise QueryError(
                    "MISSING_COLUMN_NAME", f"line 1:1: Column name not specified at position {index + 1}"
                )
            # Refused before the query runs: an unsupported type would fail only after all rows are read.
            named.append(((name or f"_col{index}").lower(), kept(output.type)))
        # Hive's names are in lower case, so `a` and `A` are the same column.
        kinds = dict(named)
        if len(kinds) < len(named):
            double = next(name for index, (name, _) in enumerate(named) if name in dict(named[:index]))
            raise QueryError(
                "DUPLICATE_COLUMN_NAME", f"line 1:1: Column name '{double}' specified more than once"
            )
        require_order(kinds, partitioned_by)
        return named

    return columns


def read_layout(properties: dict[str, Any], *, statement: str, default: str = "") -> Layout:
    """Take the properties of the files out of those of a statement."""
    partitions = properties.pop("partitioned_by", ())
    buckets = properties.pop("bucketed_by", ())
    count = properties.pop("bucket_count", 0)
    for name, value in (("partitioned_by", partitions), ("bucketed_by", buckets)):
        if not isinstance(value, tuple):
            raise QueryError("INVALID_PROPERTY", f"{name} takes ARRAY['column', …]")
    if bool(buckets) != bool(count) or not isinstance(count, int):
        raise QueryError("INVALID_PROPERTY", "bucketed_by and bucket_count must be set together")
    form = read_format(properties, statement=statement, default=default)
    partitioned_by, bucketed_by = (tuple(name.lower() for name in names) for names in (partitions, buckets))
    return Layout(form, partitioned_by, bucketed_by, count)


def register_partitions(
    execution: Execution,
    name: TableName,
    described: Mapping[str, Any],
    written: Sequence[tuple[Written, str]],
) -> None:
    """Register partitions, each with its location. One that another statement registered meanwhile stays.

    Raises:
        AwsError: the caller may not, or the catalog refuses a partition.
    """
    storage = described["StorageDescriptor"]
    inputs = [
        {"Values": list(part.values), "StorageDescriptor": {**storage, "Location": location}}
        for part, location in written
    ]
    for start in range(0, len(inputs), BATCH):
        body = {
            "DatabaseName": name.database,
            "TableName": name.name,
            "PartitionInputList": inputs[start : start + BATCH],
        }
        # Glue answers 200 for a batch that it refused in part. The reasons are in the body.
        answer = execution.lake.catalog.call("AWSGlue.BatchCreatePartition", body)
        for error in answer.get("Errors") or []:
            detail = error.get("ErrorDetail") or {}
            # Two inserts may add the same partition at once. Both wrote to its folder, so nothing is lost.
            if detail.get("ErrorCode") != "AlreadyExistsException":
                raise AwsError(
                    detail.get("ErrorCode", "InternalServiceException"), detail.get("ErrorMessage", "")
                )


def urls_of(written: Sequence[Written]) -> tuple[str, ...]:
    """Return the URLs of all files, as a manifest lists them."""
    return tuple(url for part in written for url in part.urls)
