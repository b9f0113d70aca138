"""The proof of a sync: the rows that it reports are in the Parquet files that it wrote.

A sync of an incremental source may bring no row: nothing was new. So `min_rows` and `max_drop_pct` are about all that
bronze holds after it. A source that never brought anything, or a folder that was emptied, still fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from etltctl.airbyte import wrote
from etltctl.errors import AlreadyRunningError, NextStep, UnverifiedError, command
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StepRun
from etltctl.runs import SyncJob
from etltctl.s3 import is_data, settled
from etltctl.values import years_text


def rows_proven_before(step_run: StepRun, job: SyncJob) -> int | None:
    """Return the rows that this very run proved for the job before; None if it did not.

    A newer sync may have replaced the job's files since, so they cannot be counted again.
    """
    verdict = step_run.last("verify.result")
    is_same = verdict is not None and verdict["proven"] and verdict.get("job") == job.id
    return int(verdict["landed"]) if verdict is not None and is_same else None


def prove_landing(step_run: StepRun, job: SyncJob, connection: str) -> int:
    """Return the rows in the Parquet files that this sync wrote; a surplus is noted as a warning.

    Args:
        step_run: The step.
        job: The sync, which has succeeded.
        connection: The id of its Airbyte connection.

    Raises:
        UnverifiedError: They are fewer than Airbyte reports or the settings expect.
        AlreadyRunningError: A later sync has replaced the files, so the rows cannot be counted.
    """
    name, lake = step_run.step.name, step_run.services.lake
    source = step_run.settings.sources[name]
    locations = step_run.settings.stream_locations(name)
    landed = _landed_in_all(locations, job, step_run.services)
    held = _landed_in_all(locations, None, step_run.services) if source.is_incremental else None
    doubt = _doubt(name, landed, job.rows, source.least_rows, held, seasons=source.named_seasons)
    # The footers of the last publish are read only if nothing else is wrong, because that costs a call a table.
    if doubt is None and source.max_drop_pct is not None:
        before = sum(lake.published_rows(f"bronze.{table}") for table in locations)
        doubt = _drop(name, landed, before, source.max_drop_pct, held)
    # A verdict against the sync is on record as well: `runs show` has the counts behind the error.
    step_run.append("verify.result", job=job.id, proven=doubt is None, landed=landed, reported=job.rows)
    surplus = _surplus(name, landed, job.rows)
    # Any difference is explained by a later sync first: its files are counted in place of this one's.
    if doubt is not None or surplus:
        _require_latest(step_run, job, connection)
    if doubt is not None:
        message, hint = doubt
        raise UnverifiedError(message, hint=hint, job=job.id)
    if surplus:
        step_run.warn(surplus)
    return landed


def _require_latest(step_run: StepRun, job: SyncJob, connection: str) -> None:
    """Raise AlreadyRunningError if a later sync of the source replaces, or has replaced, what this one wrote."""
    name, run_id = step_run.step.name, step_run.ledger.run_id
    # Airbyte lists the newest first, so one entry is enough.
    later = step_run.services.airbyte.jobs(connection, name, limit=1)
    if later and later[0].id != job.id:
        raise AlreadyRunningError(
            f"a later sync of {name} replaces what sync {job.id} brought, so its rows cannot be counted any more",
            hint=NextStep("bronze is whole once that sync ends; then: ", command("retry", run_id, "--fresh")),
            job=job.id,
            later=later[0].id,
        )


def _doubt(
    name: str,
    landed: int,
    reported: int | None,
    least: int,
    held: int | None = None,
    *,
    seasons: Sequence[int] = (),
) -> tuple[str, str] | None:
    """Return why a sync that reports success is not believed, and what to do; None if it is believed.

    Args:
        name: The source.
        landed: The rows in the files of this sync.
        reported: The rows that Airbyte reports; None if it reports none.
        least: The fewest rows that the settings expect.
        held: The rows of all syncs in bronze, if the source is incremental; None if it is not.
        seasons: The seasons that the settings name.
    """
    rows = landed if held is None else held
    # Before the comparison with Airbyte: a source that sends nothing reports 0 rows, and 0 of 0 would be proven.
    if rows < least:
        named = f"; sources.{name}.seasons names {years_text(sorted(seasons))}" if seasons else ""
        return (
            f"sync of {name} succeeded, but {rows} rows landed in bronze and at least {least} are expected"
            if held is None
            else f"sync of {name} succeeded, but bronze holds {rows} rows and at least {least} are expected",
            f"check that the source has rows{named}. If so few are right, lower sources.{name}.min_rows; for a source "
            f"that may be empty set sources.{name}.allow_empty = true",
        )
    if reported is not None and landed < reported:
        return (
            f"Airbyte reports {reported} rows for {name}, but {landed} landed in bronze",
            "nothing was started downstream; look at the connection's destination and streams, then sync again",
        )
    return None


def _surplus(name: str, landed: int, reported: int | None) -> str:
    """Return the warning for rows that landed and are not reported; empty if there are none.

    They are not a fault. Airbyte writes at least once: where an attempt fails and the next one resumes, the rows that
    the first had written and not yet committed come again, and only committed rows are counted. Its public API does not
    say how many attempts a job took, so every surplus is explained in this way.
    """
    if reported is None or landed <= reported:
        return ""
    return (
        f"{landed} rows landed for {name} and Airbyte counts {reported}: an attempt that it repeated may have left "
        f"{landed - reported} records twice. The shipped jobs keep one of each; a job of your own has to as well"
    )


def _drop(
    name: str, landed: int, before: int, max_drop_pct: float, held: int | None = None
) -> tuple[str, str] | None:
    """Return why a sync is not believed after which there are far fewer rows; None if it is believed.

    Args:
        name: The source.
        landed: The rows in the files of this sync.
        before: The rows that bronze had when it was published last.
        max_drop_pct: The most by which they may become fewer, in per cent.
        held: As for `_doubt`.
    """
    rows = landed if held is None else held
    if rows >= before * (1 - max_drop_pct / 100):
        return None
    said = f"{rows} rows landed for {name}" if held is None else f"bronze holds {rows} rows of {name}"
    return (
        f"{said}, {100 * (1 - rows / before):.0f} % less than the {before} before",
        f"if the source did shrink, raise sources.{name}.max_drop_pct ({max_drop_pct:g})",
    )


def _landed_in_all(locations: Mapping[str, str], job: SyncJob | None, services: Services) -> int:
    """Return the rows in the files of a sync, or of all syncs."""
    # Airbyte replaces files while it ends a sync: `settled` counts again if one vanished meanwhile.
    return sum(
        settled(partial(_landed, table, location, job, services), f"bronze.{table}")
        for table, location in locations.items()
    )


def _landed(table: str, location: str, job: SyncJob | None, services: Services) -> int:
    files = [
        file
        for file in services.s3.objects(location)
        if is_data(location, file.key) and (job is None or wrote(job, file.key, file.modified))
    ]
    return sum(footer.rows for footer in services.lake.footers(f"bronze.{table}", files))
