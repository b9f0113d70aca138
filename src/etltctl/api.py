"""The library for Python: each function is one command, its result a typed value.

Without `settings` a function loads them (`etltctl.toml`, environment) and connects to the services for this one call.
With the settings that `connect` yields, several calls share one connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.values import LOCAL

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from etltctl.athena.columns import Column
    from etltctl.connections import SourceStreams
    from etltctl.pipeline import BackfillOptions, BackfillResult, PipelineResult, RunOptions, StepResult
    from etltctl.settings import Settings


@dataclass(frozen=True)
class QueryResult:
    """A query's answer: its columns, its rows as Python values, and what Athena read for it.

    A decimal is a `decimal.Decimal` with the digits and the scale that Athena returned. A date, a time, an array, a map
    and a row are the text that Athena returned; `arrow` and `df` have types for dates and times.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    query_id: str
    scanned_bytes: int
    cost_usd: float
    described: tuple[Column, ...] = field(default=(), repr=False)
    """The columns with Athena's types."""

    def arrow(self) -> pyarrow.Table:
        """Return the rows as a table of Arrow, with the types of Athena's columns.

        Null is null, and an empty text is an empty text. Arrays, maps and rows are the text that Athena returned. If
        columns share a name, the later ones are numbered: `city_2`.

        Raises:
            UsageError: A column has a value that its type of Arrow cannot hold, such as a date after the year 9999.
        """
        from etltctl.athena.arrow_results import arrow_table
        from etltctl.athena.columns import Column
        from etltctl.tabulating import distinct

        described = self.described or tuple(Column(name, "") for name in self.columns)
        return arrow_table(described, distinct(self.columns), self.rows)

    def df(self) -> pandas.DataFrame:
        """Return the rows as a data frame of pandas, with the types of Athena's columns.

        Integers, doubles, booleans and texts have pandas' own types with null (`Int64`, `Float64`, `boolean`,
        `string`), so that null stays distinct from zero, NaN and the empty text. Times are `datetime64`, decimals
        `decimal.Decimal`, dates `datetime.date`.

        Raises:
            ConfigurationError: pandas is not installed.
            UsageError: As for `arrow`.
        """
        from etltctl.athena.arrow_results import data_frame

        return data_frame(self.arrow())

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows by column name. If columns share a name, the later ones are numbered: `city_2`."""
        from etltctl.tabulating import distinct

        names = distinct(self.columns)
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@contextmanager
def connect(
    *, env: str | None = None, config: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Iterator[Settings]:
    """Yield the settings of an environment, with its services within reach for the block.

    In the environment `local` the embedded endpoints are found or started, and the settings lead to them until the
    block ends. The process's environment variables stay as they are: `etltctl local env` prints those that lead other
    clients there. A server that this starts ends with the block: `local.linger_minutes` is for commands.

    Args:
        env: The environment, as `--env` names it.
        config: The settings file, as `--config` names it.
        flags: Single values by dotted key, which override the file and the environment variables.

    Raises:
        ConfigurationError: The settings are invalid, or the embedded endpoints cannot start.
    """
    # Imported here, as everything below: the first `import etltctl` must cost next to nothing.
    import os

    from etltctl.settings import load_settings

    settings = load_settings(config=config, env=env, flags=flags)
    # Every other environment names real services, which need nothing started.
    if settings.env != LOCAL:
        yield settings
        return
    from etltctl.local.client import endpoints

    # Settings lead to the server, not variables: the process may talk to AWS by another client meanwhile.
    with endpoints(settings, os.environ) as embedded:
        yield embedded.settings_of(settings)


def run_pipeline(
    pipeline: str, settings: Settings | None = None, options: RunOptions | None = None
) -> PipelineResult:
    """Run the pipeline's steps in order, stop at the first that fails and raise its error.

    Args:
        pipeline: The pipeline's name.
        settings: The settings; None loads them and connects.
        options: The run to resume, the steps to run, a limit of its costs.

    Raises:
        AlreadyRunningError: Another process drives the run.
    """
    from etltctl import pipeline as library

    with _reached(settings) as reached:
        return library.run_pipeline(pipeline, reached, options)


def run_backfill(pipeline: str, options: BackfillOptions, settings: Settings | None = None) -> BackfillResult:
    """Run the seasons of a range in chunks, each chunk a run of the pipeline with its own id.

    Called again with the same range it resumes a backfill that has not finished.

    Args:
        pipeline: The pipeline's name.
        options: The range, the seasons of a chunk, the budget of all chunks.
        settings: The settings; None loads them and connects.

    Raises:
        UsageError: The range or the pipeline cannot be backfilled.
        AlreadyRunningError: Another process backfills the source.
        EtltctlError: The worst error of the chunks that failed. `options.on_result` gets the result of all chunks.
    """
    from etltctl import pipeline as library

    with _reached(settings) as reached:
        return library.run_backfill(pipeline, reached, options)


def run_step(
    pipeline: str,
    step: str,
    *,
    run_id: str,
    fresh: bool = False,
    max_usd: float | None = None,
    settings: Settings | None = None,
    on_event: Callable[[Mapping[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Run one step as part of a run, and return its result as plain data.

    Called again with the same run id it adopts or reuses what the first call started.

    Args:
        pipeline: The pipeline's name.
        step: The step, `kind:name`.
        run_id: The run's id, the same for every step and every try. An id that is new begins a run.
        fresh: Start the step's work again, whatever the result so far.
        max_usd: The most that the whole run may cost, in US dollars. The run keeps it for its later steps and tries.
        settings: The settings; None loads them and connects.
        on_event: A function that is called with every event.
    """
    from etltctl import pipeline as library

    with _reached(settings) as reached:
        return library.run_step(
            pipeline, step, run_id=run_id, fresh=fresh, max_usd=max_usd, settings=reached, on_event=on_event
        )


def sync(
    source: str,
    settings: Settings | None = None,
    options: RunOptions | None = None,
    *,
    full: bool = False,
) -> StepResult:
    """Sync one source into bronze, wait, and prove that the reported rows landed.

    Args:
        source: The source's name.
        settings: The settings; None loads them and connects.
        options: The run to resume.
        full: Whether Airbyte deletes what bronze holds of the source and its states before, so that the sync reads
            everything. Rows that the source no longer has are lost. Only for a source that appends.

    Raises:
        UnverifiedError: Fewer rows landed than Airbyte reports or the settings expect.
        UsageError: With `full`: every sync of the source reads everything, or a run is resumed.
        AlreadyRunningError: With `full`: a job reads or writes what would be deleted. Nothing was deleted.
    """
    from etltctl.pipeline import SyncStep, run_alone, sync_fully

    with _reached(settings) as reached:
        if full:
            return sync_fully(source, reached, options)
        return run_alone(SyncStep.step(source), reached, options)


def run_glue(
    job: str, settings: Settings | None = None, options: RunOptions | None = None, *, wait: bool = True
) -> StepResult:
    """Start or adopt one Glue job run, wait for its end and publish its tables.

    Args:
        job: The job's name.
        settings: The settings; None loads them and connects.
        options: The run to resume, a limit of its costs.
        wait: Whether to wait. If not, it returns once the job run is known; the same call with the run id of its facts
            and `wait` finishes it.
    """
    from etltctl.pipeline import GlueStep, run_alone, start_job

    # A run id is the only link between the two calls: the second may come from another process.
    go = run_alone if wait else start_job
    with _reached(settings) as reached:
        return go(GlueStep.step(job), reached, options)


def refresh(tables: Sequence[str] = (), settings: Settings | None = None) -> StepResult:
    """Bring the catalog in line with the files of these tables (`layer.table`), of all if none is named."""
    from etltctl import pipeline as library

    with _reached(settings) as reached:
        return library.refresh(list(tables), reached)


def query(sql: str, settings: Settings | None = None, *, database: str = "") -> QueryResult:
    """Run SQL on Athena and read all its rows.

    Args:
        sql: The statement.
        settings: The settings; None loads them and connects.
        database: The database of tables that the statement names without one; by default that of the settings.

    Raises:
        RunFailedError: The query failed. The message has Athena's reason.
    """
    from etltctl.querying import run_query

    with _reached(settings) as reached:
        # The rows are read here, because the connection may end with this call.
        answer = run_query(sql, reached, database=database)
        facts = answer.facts()
        return QueryResult(
            columns=tuple(answer.names),
            rows=list(answer.rows()),
            query_id=facts["query_id"],
            scanned_bytes=facts["scanned_bytes"],
            cost_usd=facts["cost_usd"],
            described=tuple(answer.columns),
        )


def check_source(source: str, settings: Settings | None = None) -> SourceStreams:
    """Check that a source can be reached and has the streams of the settings; `was_checked` says if by credentials.

    Args:
        source: The source's name.
        settings: The settings; None loads them and connects.

    Raises:
        EtltctlError: The source cannot be reached, or a sync would fail. Refused credentials are an AccessError.
    """
    from etltctl import connections

    with _reached(settings) as reached:
        return connections.check_source(source, reached)


def discover_source(source: str, settings: Settings | None = None) -> SourceStreams:
    """Return the streams that a source has, next to those of the settings; arguments, errors as of `check_source`."""
    from etltctl import connections

    with _reached(settings) as reached:
        return connections.discover_source(source, reached)


@contextmanager
def _reached(settings: Settings | None) -> Iterator[Settings]:
    # Settings that a caller passes are connected already, or name services that need no embedded server.
    with nullcontext(settings) if settings is not None else connect() as reached:
        yield reached
