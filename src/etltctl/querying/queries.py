"""Queries of the lake: run SQL on Athena and read its answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from etltctl.athena import Athena, cost_usd
from etltctl.athena.columns import Column
from etltctl.aws import Aws
from etltctl.errors import AccessError, NextStep, Parameter, RunFailedError, UsageError, command
from etltctl.querying.refusals import cause_of_query, step_after_failure, step_after_no_role
from etltctl.querying.tables import list_tables
from etltctl.runs import QueryExecution, Verb
from etltctl.tabulating import distinct, money_text
from etltctl.values import quoted_text

if TYPE_CHECKING:
    from etltctl.settings import Settings

# By Athena's list of statements. UNLOAD is not one of them, because it writes files.
_READ = re.compile(r"[\s(]*(?:select|with|values|table|show|describe|desc|explain)\b", re.IGNORECASE)
_ANALYZE = re.compile(r"\s*explain\s+analyze\b(?:\s+verbose\b)?(?:\s*\(\s*format\b[^)]*\))?", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
REFUSED = "Lake Formation permission"  # in Athena's reason, if Lake Formation keeps the query from its tables


@dataclass(frozen=True)
class Answer:
    """A finished query: its execution, its columns, and its rows, which are read on demand.

    Attributes:
        affected_rows: How many rows a statement wrote or changed; None for one that does neither.
    """

    athena: Athena
    execution: QueryExecution
    columns: list[Column]
    verb: Verb = Verb.STARTED
    is_billed: bool = True
    affected_rows: int | None = None

    @property
    def names(self) -> list[str]:
        """Return the columns' names, in order."""
        return [column.name for column in self.columns]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows, each value as the Python type of its column; a decimal is a `Decimal`, digit by digit."""
        for row in self.athena.rows(self.execution.id, self.columns):
            yield tuple(column.value(text) for text, column in zip(row, self.columns, strict=True))

    def write_parquet(self, stream: BinaryIO) -> int:
        """Write the rows as one Parquet file and return their number.

        Args:
            stream: Where the bytes go; a pipe will do.

        Raises:
            UsageError: The result has no columns, or a value that its type in Parquet cannot hold.
        """
        from etltctl.athena.arrow_results import write_parquet

        if not self.columns:
            raise UsageError("the statement ran, but it has no result to write as Parquet")
        return write_parquet(stream, self.columns, distinct(self.names), self.rows())

    def facts(self) -> dict[str, Any]:
        """Return what the query was and cost, ready for JSON."""
        return {
            "query_id": self.execution.id,
            "verb": str(self.verb),
            "columns": [{"name": column.name, "type": column.type} for column in self.columns],
            "scanned_bytes": self.execution.scanned_bytes,
            "duration_ms": self.execution.duration_ms,
            "cost_usd": self.cost_usd,
        } | ({} if self.affected_rows is None else {"affected_rows": self.affected_rows})

    @property
    def cost_usd(self) -> float:
        """Return what the query cost at the region's price. A reused query was paid for when it ran."""
        return cost_usd(self.execution.scanned_bytes, self.athena.tb_usd) if self.is_billed else 0.0

    def summary(self) -> str:
        """Return what the query scanned and cost, on one line."""
        scanned, seconds = self.execution.scanned_bytes, self.execution.duration_ms / 1000
        usd = money_text(self.cost_usd if self.is_billed else None, digits=6)
        price = f"{usd} at Athena's price" if self.is_billed else usd
        text = f"{scanned:,} bytes scanned in {seconds:.2f} s, {price}"
        return text if self.verb is Verb.STARTED else f"{self.verb}: {text}, once"


def run_query(
    sql: str,
    settings: Settings,
    *,
    database: str = "",
    principal: str = "",
    run_id: str = "",
    parameters: Sequence[str] = (),
    max_scan: str = "",
    on_poll: Callable[[QueryExecution], None] | None = None,
    aws: Aws | None = None,
) -> Answer:
    """Run the SQL and wait for its end. An interrupt cancels the query.

    Args:
        sql: The query.
        settings: The settings.
        database: The database of names without one; gold's if it is empty.
        principal: The role that runs the query: `role:NAME` or its ARN; the caller if it is empty.
        run_id: The same query under the same id is started once. It is adopted while it runs, and reused at its end.
        parameters: Texts for the query's `?`, each read by `literal`.
        max_scan: The query is cancelled once it scanned more than this, such as `1GB`.
        on_poll: Called with each poll's answer.
        aws: The clients of the account, for a caller that has some already; with a `principal` they are not used.

    Raises:
        RunFailedError: The query failed, for the reason that Athena gives.
        BudgetError: It scanned more than `max_scan`.
        AccessError: Lake Formation or STS refuses.
    """
    # Athena says what it did through a callback; the last word counts, because a retry starts again.
    aws = aws if aws is not None and not principal else _calling_as(principal, settings)
    verbs = [Verb.STARTED]
    athena = Athena(
        aws,
        settings.athena.workgroup,
        settings.athena.output_location,
        on_run=lambda verb, _: verbs.append(verb),
        tb_usd=settings.prices.of(aws.region_name).athena_tb_usd,
    )
    database = database or settings.athena.databases["gold"]
    try:
        execution = athena.run(
            sql,
            run_id or uuid.uuid4().hex,
            database=database,
            parameters=[literal(text) for text in parameters],
            max_scan=_bytes(max_scan) if max_scan else None,
            on_poll=on_poll,
        )
    except RunFailedError as error:
        error.facts = cause_of_query(error) | error.facts
        error.next_step = step_after_failure(
            error, sql, database, settings, lambda: [row[:2] for row in list_tables(settings)]
        )
        # Lake Formation's refusal comes as the reason of a failed query, not as an error of the call.
        if REFUSED not in error.message:
            raise
        hint = NextStep(command("govern", "who", "TABLE"), "  # lists who may read it")
        raise AccessError(error.message, hint=hint, **error.facts) from error
    columns, affected_rows = athena.columns(execution.id), None
    if [column.name for column in columns] == ["rows"] and not is_read(sql):
        # Athena answers INSERT, CREATE TABLE AS and MERGE with a column without a row, next to the number of rows.
        columns, affected_rows = [], athena.affected_rows(execution.id)
    return Answer(athena, execution, columns, verbs[-1], settings.environment.bills, affected_rows)


def _calling_as(principal: str, settings: Settings) -> Aws:
    """Return the account as the caller uses it, or as a role that the caller assumes."""
    aws = Aws.from_settings(settings)
    if not principal:
        return aws
    if not principal.startswith(("role:", "arn:")) or ":user/" in principal:
        raise UsageError(
            f"{principal!r} is not a role, so no query can run as it",
            hint=NextStep(Parameter("principal"), " takes a role, such as role:analyst, or its ARN"),
        )
    role = principal if principal.startswith("arn:") else aws.identity().arn_of(principal)
    try:
        return aws.assuming(role)
    except AccessError as error:
        error.next_step = step_after_no_role(role, settings, error.next_step)
        raise


def literal(text: str) -> str:
    """Return the text as a literal of Athena's SQL, so that Athena takes no part of it for SQL.

    Args:
        text: A number, `true`, `false` or `null`; `date:2026-01-31` or `timestamp:2026-01-31 12:00:00`. Everything
            else is a text, and so is all that follows `text:`.
    """
    # A text may look like a number or a date; the prefix decides, and `text:` excludes all doubt.
    kind, is_typed, value = text.partition(":")
    if is_typed and kind == "text":
        return quoted_text(value)
    if is_typed and kind in ("date", "timestamp"):
        return f"{kind.upper()} {quoted_text(value)}"
    # A number is left without quotes, because Athena compares a text with a number only after a cast.
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?|true|false|null", text):
        return text
    return quoted_text(text)


def _bytes(size: str) -> int:
    from etltctl.settings.section import SIZE_UNITS

    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B)", size.strip().upper())
    if not match:
        hint = NextStep("write ", Parameter("max_scan"), " like 500MB or 1GB")
        raise UsageError(f"{size} is not a size, so no query was started", hint=hint)
    return int(float(match[1]) * SIZE_UNITS[match[2]])


def is_read(sql: str) -> bool:
    """Return whether a statement changes nothing, by its first word.

    `EXPLAIN ANALYZE` runs the statement after it, so that one counts. What `EXECUTE` runs is not known here.

    Args:
        sql: The statement.
    """
    text = _COMMENT.sub(" ", sql)
    statement = text[match.end() :] if (match := _ANALYZE.match(text)) else text
    return _READ.match(statement) is not None


def read_sql(sql: str, file: Path | None, stdin: TextIO) -> str:
    """Return the SQL of a query command.

    Args:
        sql: The SQL, or `-` for standard input.
        file: The file that holds it.
        stdin: Standard input.

    Raises:
        UsageError: It is given nowhere or in two places, or cannot be read.
    """
    if bool(sql) == bool(file):
        raise UsageError(
            "give the SQL either as an argument or with -f FILE", hint=command("athena", "query", "select 1")
        )
    typed = "" if file else sql
    try:
        text = file.read_text("utf-8-sig") if file else typed
        if typed == "-":
            text = stdin.read().removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"cannot read the SQL from {file}: {reason}") from error
    if not text.strip():
        raise UsageError("the SQL is empty")
    return text
