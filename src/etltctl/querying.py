"""Questions to the lake: run SQL on Athena and read its answer, list the tables."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from etltctl.athena import Athena, Column, cost_usd, typed
from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.errors import UsageError
from etltctl.publishing import ROWS, VERSION, VERSIONS
from etltctl.runs import QueryExecution, Verb

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class Answer:
    """A finished query: its execution, its columns, and its rows, read when asked for."""

    athena: Athena
    execution: QueryExecution
    columns: list[Column]
    verb: Verb = Verb.STARTED

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows, each value as the Python type of its column."""
        for row in self.athena.rows(self.execution.id, self.columns):
            yield tuple(typed(text, column.type) for text, column in zip(row, self.columns, strict=True))

    def facts(self) -> dict[str, Any]:
        """What the query was and cost, ready for JSON."""
        return {
            "query_id": self.execution.id,
            "verb": str(self.verb),
            "columns": [{"name": column.name, "type": column.type} for column in self.columns],
            "scanned_bytes": self.execution.scanned_bytes,
            "duration_ms": self.execution.duration_ms,
            "cost_usd": self.cost_usd,
        }

    @property
    def cost_usd(self) -> float:
        """What the query costs at the region's price; one that was found at its end was paid before."""
        return cost_usd(self.execution.scanned_bytes, self.athena.tb_usd)

    def summary(self) -> str:
        """The same on one line."""
        scanned, seconds = self.execution.scanned_bytes, self.execution.duration_ms / 1000
        told = f"{scanned:,} bytes scanned in {seconds:.2f} s, {self.cost_usd:.6f} USD at Athena's price"
        return told if self.verb is Verb.STARTED else f"{self.verb}: {told}, once"


def run_query(
    sql: str,
    settings: Settings,
    *,
    database: str,
    run_id: str = "",
    on_look: Callable[[QueryExecution], None] | None = None,
) -> Answer:
    """Runs the SQL and waits; raises RunFailedError with Athena's own reason. An interrupt cancels the query.

    The same query under the same `run_id` is started once: found running it is adopted, found done it is reused.
    """
    aws, verbs = Aws.from_settings(settings), [Verb.STARTED]
    athena = Athena(
        aws,
        settings.athena.workgroup,
        settings.athena.output_location,
        on_run=lambda verb, _: verbs.append(verb),
        tb_usd=settings.prices.of(aws.region_name).athena_tb_usd,
    )
    execution = athena.run(
        sql,
        run_id or uuid.uuid4().hex,
        database=database or settings.athena.databases["gold"],
        on_look=on_look,
    )
    return Answer(athena, execution, athena.columns(execution.id), verbs[-1])


def list_tables(settings: Settings) -> list[tuple[str, str, int | None, str, str]]:
    """Layer, name, rows, version and time of publication of every table in the catalog."""
    catalog = Catalog(Aws.from_settings(settings))
    return [
        _listed(layer, table)
        for layer, database in settings.athena.databases.items()
        for table in catalog.tables(database)
    ]


def describe_table(table: str, settings: Settings) -> list[tuple[str, str, str]]:
    """Part (column, partition, version), name and type or standing of what `layer.table` is made of."""
    layer, _, name = table.partition(".")
    database = settings.athena.databases.get(layer)
    found = Catalog(Aws.from_settings(settings)).table(database, name) if database else None
    if found is None:
        raise UsageError(
            f"the catalog has no table {table}", hint="etltctl athena tables lists them: layer.table"
        )
    parameters = found.get("Parameters", {})
    current = parameters.get(VERSION, "")
    versions = [version for version in parameters.get(VERSIONS, "").split(",") if version]
    return [
        *(("column", column["Name"], column["Type"]) for column in found["StorageDescriptor"]["Columns"]),
        *(("partition", column["Name"], column["Type"]) for column in found.get("PartitionKeys", [])),
        *(("version", version, "current" if version == current else "") for version in versions),
    ]


def read_sql(sql: str, file: Path | None, stdin: TextIO) -> str:
    """The SQL from wherever it is given; raises UsageError if it is nowhere or in two places."""
    if bool(sql) == bool(file):
        raise UsageError(
            "give the SQL either as an argument or with -f FILE", hint="etltctl athena query 'select 1'"
        )
    try:
        text = file.read_text() if file else stdin.read() if sql == "-" else sql
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"cannot read the SQL from {file}: {reason}") from error
    if not text.strip():
        raise UsageError("the SQL is empty")
    return text


def _listed(layer: str, table: dict[str, Any]) -> tuple[str, str, int | None, str, str]:
    parameters = table.get("Parameters", {})
    rows = parameters.get(ROWS)
    published = table.get("UpdateTime") or table.get("CreateTime")
    when = published.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if published else ""
    return layer, table["Name"], int(rows) if rows else None, parameters.get(VERSION, ""), when
