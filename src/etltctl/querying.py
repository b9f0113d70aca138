"""Questions to the lake: run SQL on Athena and read its answer, list the tables."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from etltctl.athena import Athena, Column, cost_usd, typed
from etltctl.aws import Aws
from etltctl.catalog import STAGING, Catalog
from etltctl.errors import AccessError, RunFailedError, UsageError, unknown
from etltctl.runs import QueryExecution, Verb
from etltctl.s3 import S3
from etltctl.tabulating import local_time

if TYPE_CHECKING:
    from etltctl.settings import Settings

REFUSED = "Lake Formation permission"  # in the reason of a query that is not let at its tables


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
        """Yield the rows, each value as the Python type of its column; a decimal is a `Decimal`, digit by digit."""
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
    database: str = "",
    principal: str = "",
    run_id: str = "",
    parameters: Sequence[str] = (),
    max_scan: str = "",
    on_look: Callable[[QueryExecution], None] | None = None,
) -> Answer:
    """Runs the SQL and waits, as `role:NAME` if a principal is named. An interrupt cancels the query.

    `parameters` take the places of the query's `?`, each as `literal` reads it; a query that scans more than `max_scan`
    (such as `1GB`) is cancelled. The same query under the same `run_id` is started once: found running it is adopted,
    found done it is reused.

    Raises RunFailedError with Athena's own reason, AccessError if Lake Formation or STS refuses.
    """
    aws, verbs = _calling_as(principal, Aws.from_settings(settings)), [Verb.STARTED]
    athena = Athena(
        aws,
        settings.athena.workgroup,
        settings.athena.output_location,
        on_run=lambda verb, _: verbs.append(verb),
        tb_usd=settings.prices.of(aws.region_name).athena_tb_usd,
    )
    try:
        execution = athena.run(
            sql,
            run_id or uuid.uuid4().hex,
            database=database or settings.athena.databases["gold"],
            parameters=[literal(text) for text in parameters],
            max_scan=_bytes(max_scan) if max_scan else None,
            on_look=on_look,
        )
    except RunFailedError as error:
        if REFUSED not in error.message:
            raise
        hint = "etltctl govern who TABLE  # lists who may read it"
        raise AccessError(error.message, hint=hint) from error
    return Answer(athena, execution, athena.columns(execution.id), verbs[-1])


def _calling_as(principal: str, aws: Aws) -> Aws:
    """The account as the caller sees it, or as a role that the caller may assume."""
    if not principal:
        return aws
    if not principal.startswith(("role:", "arn:")) or ":user/" in principal:
        raise UsageError(
            f"{principal!r} is not a role, so no query can run as it",
            hint="name a role: --as role:analyst, or its ARN",
        )
    return aws.assuming(principal if principal.startswith("arn:") else aws.identity().arn_of(principal))


def list_tables(settings: Settings) -> list[tuple[str, str, int | None, str, str]]:
    """Layer, name, rows, version and time of publication of every table in the catalog."""
    catalog = Catalog(Aws.from_settings(settings))
    return [
        _listed(layer, table)
        for layer, database in settings.athena.databases.items()
        for table in catalog.tables(database)
        if not table["Name"].startswith(STAGING)
    ]


def describe_table(table: str, settings: Settings) -> list[tuple[str, str, str]]:
    """Part (column, partition, version, publish), name and type or standing of what `layer.table` is made of.

    A publish is told of where one of the table's set was left half way.
    """
    from etltctl.publishing import History, Lake

    aws = Aws.from_settings(settings)
    lake = Lake(settings, S3(aws), Catalog(aws))
    is_ours = table.partition(".")[0] in settings.athena.databases
    found = lake.catalog.table(*lake.places.in_catalog(table)) if is_ours else None
    if found is None:
        listed = [f"{layer}.{name}" for layer, name, *_ in list_tables(settings)]
        raise unknown("table", table, listed, hint="etltctl athena tables")
    history = History.of(found)
    since = {name: f"out of use since {local_time(at)}" for name, at in history.out_of_use.items()}
    half_done = lake.unfinished(table) if history.versions else None
    return [
        *(("column", column["Name"], column["Type"]) for column in found["StorageDescriptor"]["Columns"]),
        *(("partition", column["Name"], column["Type"]) for column in found.get("PartitionKeys", [])),
        *(
            ("version", version, "current" if version == history.current else since.get(version, ""))
            for version in history.versions
        ),
        *(
            [
                (
                    "publish",
                    half_done["run"],
                    f"half done{_since(half_done)}: etltctl retry {half_done['run']}",
                )
            ]
            if half_done
            else []
        ),
    ]


def literal(text: str) -> str:
    """The text as a literal of Athena's SQL, so that nothing in it is ever taken for SQL.

    A number, `true`, `false` and `null` are what they look like, `date:2026-01-31` and `timestamp:2026-01-31 12:00:00`
    what they say; all else is text, as is whatever follows `text:`.
    """
    kind, is_typed, value = text.partition(":")
    if is_typed and kind == "text":
        return _quoted(value)
    if is_typed and kind in ("date", "timestamp"):
        return f"{kind.upper()} {_quoted(value)}"
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?|true|false|null", text):
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _bytes(size: str) -> int:
    from etltctl.settings.section import SIZE_UNITS

    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B)", size.strip().upper())
    if not found:
        raise UsageError(f"--max-scan {size} is not a size", hint="write it like 500MB or 1GB")
    return int(float(found[1]) * SIZE_UNITS[found[2]])


def read_sql(sql: str, file: Path | None, stdin: TextIO) -> str:
    """The SQL from wherever it is given; raises UsageError if it is nowhere or in two places."""
    if bool(sql) == bool(file):
        raise UsageError(
            "give the SQL either as an argument or with -f FILE", hint="etltctl athena query 'select 1'"
        )
    try:
        text = (
            file.read_text("utf-8-sig")
            if file
            else stdin.read().removeprefix("\ufeff")
            if sql == "-"
            else sql
        )
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"cannot read the SQL from {file}: {reason}") from error
    if not text.strip():
        raise UsageError("the SQL is empty")
    return text


def _listed(layer: str, table: dict[str, Any]) -> tuple[str, str, int | None, str, str]:
    from etltctl.publishing import ROWS, VERSION  # here, because a query needs nothing of it

    parameters = table.get("Parameters", {})
    rows = parameters.get(ROWS)
    published = table.get("UpdateTime") or table.get("CreateTime")
    when = local_time(published.isoformat()) if published else ""
    return layer, table["Name"], int(rows) if rows else None, parameters.get(VERSION, ""), when


def _since(half_done: Mapping[str, Any]) -> str:
    """When the publish began; nothing where its record is damaged."""
    return f" since {local_time(half_done['since'])}" if "since" in half_done else ""
