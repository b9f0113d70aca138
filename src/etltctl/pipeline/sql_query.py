"""The query of one step `sql:NAME` in one run: its text, its statement, where it writes, and its start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from etltctl.athena.unload import placed_in_query, reordered, unload_sql
from etltctl.errors import (
    RETRY,
    AccessError,
    ConfigurationError,
    EtltctlError,
    NextStep,
    OutcomeUnknownError,
    RunFailedError,
    ServiceError,
    UnverifiedError,
    guess_text,
)
from etltctl.ledger import Event
from etltctl.pipeline.inputs import input_location
from etltctl.pipeline.step_run import StepRun
from etltctl.runs import QueryExecution, Verb
from etltctl.s3 import PARQUET
from etltctl.settings.sql_files import digest_of, read_query, with_tables
from etltctl.values import S3Location, layer_of

if TYPE_CHECKING:
    from etltctl.settings.sql_tables import SqlTable


@dataclass(frozen=True)
class SqlQuery:
    """The query of a step."""

    step_run: StepRun

    @property
    def table(self) -> SqlTable:
        """What the settings say of the query."""
        return self.step_run.settings.sql[self.step_run.step.name]

    @property
    def path(self) -> Path:
        """The query's file on this machine."""
        return self.step_run.settings.sql_path(self.step_run.step.name)

    @property
    def file(self) -> str:
        """The query's file as the settings name it."""
        return self.table.file

    @cached_property
    def text(self) -> str:
        """The query with the names of tables at Athena."""
        places = self.step_run.services.lake.places
        return with_tables(read_query(self.step_run.settings, self.step_run.step.name), places.in_query)

    @property
    def database(self) -> str:
        """The database of names without one."""
        return self.step_run.settings.athena.databases[layer_of(self.table.writes)]

    @property
    def outputs(self) -> Mapping[str, str]:
        """Where the newest start writes, by table."""
        intended = self.step_run.last("remote.intended")
        return dict(intended["outputs"]) if intended else {}

    @property
    def digest_on_record(self) -> str:
        """The digest of the text of the newest start; empty without one."""
        intended = self.step_run.last("remote.intended")
        return str(intended["sql_digest"]) if intended else ""

    @property
    def has_changed(self) -> bool:
        """Whether the text is another one than that of the newest start."""
        return digest_of(self.text) != self.digest_on_record

    def start(self) -> tuple[Verb, QueryExecution]:
        """Start the query, after the last checks before its start.

        Raises:
            BlockedError: A table that it reads was never published.
            ConfigurationError: The query lacks a partition column.
            RunFailedError: Athena refuses the query.
            OutcomeUnknownError: The answer was lost.
        """
        step_run, lake, table = self.step_run, self.step_run.services.lake, self.table.writes
        before = step_run.last("remote.intended")
        # Every start writes to another place. Athena refuses a place with files, and does not delete what a failed
        # query left.
        tries = int(before["tries"]) + 1 if before else 0
        location = lake.version_location(table, step_run.run_id.version(tries))
        for read in self.table.reads:
            input_location(lake, read, [table], f"sql.{step_run.step.name}")
        # A publish that may not read what it needs would waste the query.
        lake.require_visible({table: location})
        intended = {
            "run_key": step_run.run_key,
            "tries": tries,
            "outputs": {table: location},
            "sql": unload_sql(self._in_order(), location, self.table.partitioned_by),
            "sql_digest": digest_of(self.text),
        }
        step_run.append("remote.intended", **intended)
        return self._send(intended)

    def send_again(self, intended: Event) -> QueryExecution | None:
        """Send a start again whose answer is not on record: Athena answers it with the same execution.

        The statement comes from the record. The file may have changed since, and another statement would be another
        start, into the same place.

        Args:
            intended: The event that was recorded before the start was sent first.

        Returns:
            The execution. None if Athena refuses the statement, and so has never started it.

        Raises:
            OutcomeUnknownError: Athena does not answer this time either, or not to this caller.
        """
        try:
            return self._send(intended)[1]
        except RunFailedError:
            return None
        except (ServiceError, AccessError) as error:
            # Whatever the reason, the start of the earlier try may have gone through.
            raise self._unknown(error) from error

    def look_for(self, intended: Event) -> QueryExecution | None:
        """Return the execution of a start whose answer is not on record. Nothing is started.

        No other execution has the same statement, because each writes to another place.

        Args:
            intended: The event that was recorded before the start was sent.

        Returns:
            The execution; None if the newest ones of the workgroup are others.
        """
        return self.step_run.services.athena.newest_of(intended["sql"])

    def _send(self, intended: Event) -> tuple[Verb, QueryExecution]:
        try:
            return self.step_run.services.athena.start_or_adopt(
                intended["sql"], intended["run_key"], database=self.database
            )
        except RunFailedError as error:  # Athena refuses a text with a syntax error at its start
            raise self._refused(error, intended["sql"]) from error
        except ServiceError as error:
            # Other faults of a request are refused at the start as well, and the rest end the query as failed.
            if error.code == "InvalidRequestException":
                raise self._refused(error, intended["sql"]) from error
            if error.is_open:
                raise self._unknown(error) from error
            raise

    def _unknown(self, error: EtltctlError) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            f"Athena left open whether the query of {self.file} was started: {error.message}",
            hint=NextStep(RETRY, "  # Athena answers the same start with the same query"),
        )

    def in_file(self, reason: str) -> str:
        """Return why the newest start failed, with the places that it names counted in the query's file."""
        intended = self.step_run.last("remote.intended")
        return placed_in_query(reason, intended["sql"], self.text) if intended else reason

    def _refused(self, error: EtltctlError, statement: str) -> RunFailedError:
        reason = placed_in_query(error.message, statement, self.text)
        return RunFailedError(
            f"Athena refuses the query of {self.file}: {reason}",
            hint=NextStep(f"nothing was written; correct {self.file}, then: ", RETRY),
            file=str(self.path),
        )

    def name_files(self) -> None:
        """Give the files of the version the names that readers of the lake know Parquet files by.

        Athena's UNLOAD writes Parquet files whose names have no ending.

        Raises:
            UnverifiedError: There is no file, because the query had no row.
        """
        s3 = self.step_run.services.s3
        ((table, location),) = self.outputs.items()
        files = s3.objects(location)
        if not files:
            raise UnverifiedError(
                f"the query of {self.file} returned no row, so that Athena wrote no file: {table} is not published",
                hint=NextStep(
                    "the version that was current stays current; correct the query or what it reads, then: ",
                    RETRY,
                ),
                location=location,
            )
        for file in files:
            # A try that died in between left a copy and its original: the copy is written again, with the same content.
            if not file.key.endswith(PARQUET):
                s3.move(file, S3Location(file.bucket, f"{file.key}{PARQUET}"))

    def _in_order(self) -> str:
        """Return the query with its partition columns at the end, where UNLOAD expects them."""
        if not self.table.partitioned_by:
            return self.text
        columns = self._columns()
        for name in self.table.partitioned_by:
            if name.lower() not in columns:
                guess = guess_text(name.lower(), columns) or f": it has {', '.join(columns)}"
                setting = f"sql.{self.step_run.step.name}"
                place = self.step_run.settings.place_of("sql", self.step_run.step.name, "partitioned_by")
                raise ConfigurationError(
                    f"{place}: the query of {setting} has no column {name}{guess}",
                    hint=f"nothing was started; correct {self.file} or {setting}.partitioned_by",
                )
        return reordered(self.text, columns, [name.lower() for name in self.table.partitioned_by])

    def _columns(self) -> Sequence[str]:
        """Return the names of the query's columns. Athena reads no data for a query without rows."""
        athena = self.step_run.services.athena
        empty = f"SELECT * FROM ({self.text}\n) LIMIT 0"
        try:
            execution = athena.run(empty, f"{self.step_run.run_key}#columns", database=self.database)
        except (RunFailedError, ServiceError) as error:
            raise self._refused(error, empty) from error
        # Athena keeps the case of an alias here, and compares and writes names in lower case.
        return [column.name.lower() for column in athena.columns(execution.id)]
