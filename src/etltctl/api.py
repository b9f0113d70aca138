"""The library as people call it from Python: each function is one command, its result a typed value.

Without `settings` a function loads them (`etltctl.toml`, environment) and reaches the services for its own duration;
with the settings that `connect` gives, several calls share one connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etltctl.pipeline import PipelineResult, StepResult, Wish
    from etltctl.settings import Settings

LOCAL = "local"


@dataclass(frozen=True)
class QueryResult:
    """A query's answer: its columns, its rows as Python values, and what Athena read for it.

    A decimal is a `decimal.Decimal` with the digits and the scale that Athena returned.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    query_id: str
    scanned_bytes: int
    cost_usd: float

    def dicts(self) -> list[dict[str, Any]]:
        """The rows by column name; of columns of one name the later ones are numbered, `city_2`."""
        from etltctl.tabulating import distinct

        names = distinct(self.columns)
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@contextmanager
def connect(
    *, env: str | None = None, config: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Iterator[Settings]:
    """The settings of an environment, with its services within reach for the block.

    `env` and `config` say which, as `--env` and `--config` do; `flags` sets single values by dotted key and comes
    before everything else. In the environment `local` the embedded endpoints are found or started, and this
    process's environment variables lead to them until the block ends. A server that this starts ends with the block:
    `local.linger_minutes` is for commands. Raises ConfigurationError.
    """
    import os

    from etltctl.settings import load_settings

    settings = load_settings(config=config, env=env, flags=flags)
    if settings.env != LOCAL:
        yield settings
        return
    from etltctl.local.client import endpoints

    with endpoints(settings, os.environ) as found, found.lead(os.environ):
        yield load_settings(config=config, env=env, flags=flags)


def run_pipeline(pipeline: str, settings: Settings | None = None, wish: Wish | None = None) -> PipelineResult:
    """Runs the pipeline's steps in order, stops at the first that fails and raises its error.

    `wish` takes up an earlier run, or names the steps. Raises AlreadyRunningError if another process drives the run.
    """
    from etltctl import pipeline as library

    with _reached(settings) as reached:
        return library.run_pipeline(pipeline, reached, wish)


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
    """Run one step, `kind:name`, as part of the run `run_id`, and return its result as plain data.

    Called again with the same run id it adopts or reuses what the first call started; `fresh` starts it again.
    `max_usd` is the most that the whole run may cost; the run keeps it for its later steps and tries.
    """
    from etltctl import pipeline as library

    with _reached(settings) as reached:
        return library.run_step(
            pipeline, step, run_id=run_id, fresh=fresh, max_usd=max_usd, settings=reached, on_event=on_event
        )


def sync(source: str, settings: Settings | None = None, wish: Wish | None = None) -> StepResult:
    """Syncs one source into bronze, waits, and proves that the reported rows landed (UnverifiedError if not)."""
    from etltctl.pipeline import Step, run_alone

    with _reached(settings) as reached:
        return run_alone(Step("sync", source), reached, wish)


def run_glue(
    job: str, settings: Settings | None = None, wish: Wish | None = None, *, wait: bool = True
) -> StepResult:
    """Starts or adopts one Glue job run, waits for its end and publishes its tables.

    Without `wait` it returns once the run is known; the same call with the run id of its facts comes back to it.
    """
    from etltctl.pipeline import Step, run_alone, start_job

    go = run_alone if wait else start_job
    with _reached(settings) as reached:
        return go(Step("glue", job), reached, wish)


def refresh(tables: Sequence[str] = (), settings: Settings | None = None) -> StepResult:
    """Brings the catalog in line with the files of these tables (`layer.table`), of all if none is named."""
    from etltctl import pipeline as library

    with _reached(settings) as reached:
        return library.refresh(list(tables), reached)


def query(sql: str, settings: Settings | None = None, *, database: str = "") -> QueryResult:
    """Runs SQL on Athena and reads all its rows; raises RunFailedError with Athena's own reason."""
    from etltctl.querying import run_query

    with _reached(settings) as reached:
        answer = run_query(sql, reached, database=database)
        facts = answer.facts()
        return QueryResult(
            columns=tuple(answer.names),
            rows=list(answer.rows()),
            query_id=facts["query_id"],
            scanned_bytes=facts["scanned_bytes"],
            cost_usd=facts["cost_usd"],
        )


@contextmanager
def _reached(settings: Settings | None) -> Iterator[Settings]:
    with nullcontext(settings) if settings is not None else connect() as reached:
        yield reached
