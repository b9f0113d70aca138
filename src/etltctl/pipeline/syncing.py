"""The step that syncs a source into bronze, and proves that the reported rows landed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from etltctl.airbyte import wrote
from etltctl.errors import RETRY, AlreadyRunningError, UnverifiedError
from etltctl.pipeline.model import Begun, StepResult
from etltctl.pipeline.occupied import require_unread
from etltctl.pipeline.remotes import SyncRemote
from etltctl.pipeline.services import Services
from etltctl.pipeline.work import Found, Work, require_success
from etltctl.runs import SyncJob
from etltctl.s3 import is_data, settled


def start_sync(work: Work) -> Found:
    """Starts the source's sync once, or finds the one that belongs to this run id."""
    name, airbyte = work.step.name, work.services.airbyte
    before = work.ledger.last(str(work.step), "remote.started", "remote.adopted", "remote.intended")
    is_started = before is not None and "remote_id" in before

    def before_start(newest: int) -> None:
        require_unread(work)
        work.ledger.append("remote.intended", str(work.step), newest_before=newest)

    verb, job, is_ours = airbyte.start_or_adopt(
        SyncRemote(work.services, name, "").connection,
        name,
        known_job=before["remote_id"] if before and is_started else "",
        newest_before=before["newest_before"] if before and not is_started else None,
        before_start=before_start,
    )
    if before and job.id == before.get("remote_id"):
        is_ours = before.get("ours", True)
    return Found(verb, job, is_ours)


def finish_sync(work: Work, begun: Begun, job: SyncJob) -> StepResult:
    """Sees the sync through and proves that the reported rows landed."""
    name = work.step.name
    job = work.see_through(job, SyncRemote(work.services, name, job.id), is_ours=begun.is_ours)
    require_success(
        job,
        hint=f"bronze keeps the last good sync; fix the cause, then: {RETRY}",
        stopped=work.who_stopped(job),
    )
    landed = _proven_before(work, job)
    if landed is None:
        landed = _prove_landing(work, job)
    _admit(work)
    facts = {"layer": "bronze", "rows": landed, "reported_rows": job.rows}
    return StepResult(str(work.step), begun.verb, job.id, facts=facts)


def _proven_before(work: Work, job: SyncJob) -> int | None:
    """The rows this very run already proved for the job: a newer sync may have replaced its files since."""
    verdict = work.ledger.last(str(work.step), "verify.result")
    is_same = verdict is not None and verdict["proven"] and verdict.get("job") == job.id
    return int(verdict["landed"]) if verdict is not None and is_same else None


def _prove_landing(work: Work, job: SyncJob) -> int:
    """Return the rows in the Parquet files that this sync wrote; a surplus is noted as a warning.

    Raises:
        UnverifiedError: They are fewer than Airbyte reports or the settings expect.
        AlreadyRunningError: A later sync has replaced the files, so the rows cannot be counted.
    """
    name = work.step.name
    source = work.services.settings.sources[name]
    locations = work.services.settings.stream_locations(name)
    landed = _landed_of_all(locations, job, work.services)
    doubt = _doubt(name, landed, job.rows, source.least_rows)
    if doubt is None and source.max_drop_pct is not None:
        before = sum(work.services.lake.published_rows(f"bronze.{table}") for table in locations)
        doubt = _drop(name, landed, before, source.max_drop_pct)
    work.ledger.append(
        "verify.result", str(work.step), job=job.id, proven=doubt is None, landed=landed, reported=job.rows
    )
    surplus = _surplus(name, landed, job.rows)
    if doubt is not None or surplus:
        _require_latest(work, job)
    if doubt is not None:
        message, hint = doubt
        raise UnverifiedError(message, hint=hint, job=job.id)
    if surplus:
        work.ledger.note("warning.degraded", str(work.step), message=surplus)
    return landed


def _require_latest(work: Work, job: SyncJob) -> None:
    """Raise AlreadyRunningError if a later sync of the source replaces, or has replaced, what this one wrote."""
    name, run_id = work.step.name, work.ledger.run_id
    later = work.services.airbyte.jobs(SyncRemote(work.services, name, job.id).connection, name, limit=1)
    if later and later[0].id != job.id:
        raise AlreadyRunningError(
            f"a later sync of {name} replaces what sync {job.id} brought, so its rows cannot be counted any more",
            hint=f"bronze is whole once that sync ends; then: etltctl retry {run_id} --fresh",
            job=job.id,
            later=later[0].id,
        )


def _doubt(name: str, landed: int, reported: int | None, least: int) -> tuple[str, str] | None:
    """Why a sync that says success is not believed, and what to do; None if it is."""
    if landed < least:
        return (
            f"sync of {name} succeeded, but {landed} rows landed in bronze and at least {least} are expected",
            f"is that right? lower sources.{name}.min_rows; for a source that may be empty set "
            f"sources.{name}.allow_empty = true",
        )
    if reported is not None and landed < reported:
        return (
            f"Airbyte reports {reported} rows for {name}, but {landed} landed in bronze",
            "nothing was started downstream; look at the connection's destination and streams, then sync again",
        )
    return None


def _surplus(name: str, landed: int, reported: int | None) -> str:
    """Return the warning for rows that landed and are not reported; empty if there are none.

    They are no fault. Airbyte writes at least once: where an attempt fails and the next one resumes, what the first
    had written and not yet committed comes again, and only what was committed is counted. Its public API does not
    say how many attempts a job took, so every surplus is taken for that.
    """
    if reported is None or landed <= reported:
        return ""
    return (
        f"{landed} rows landed for {name} and Airbyte counts {reported}: an attempt that it repeated may have left "
        f"{landed - reported} records twice. The shipped jobs keep one of each; a job of your own has to as well"
    )


def _drop(name: str, landed: int, before: int, max_drop_pct: float) -> tuple[str, str] | None:
    """Why a sync that brings so much less than the one before is not believed; None if it does not."""
    if landed >= before * (1 - max_drop_pct / 100):
        return None
    return (
        f"{landed} rows landed for {name}, {100 * (1 - landed / before):.0f} % less than the {before} before",
        f"if the source did shrink, raise sources.{name}.max_drop_pct ({max_drop_pct:g})",
    )


def _admit(work: Work) -> None:
    """Holds what landed to the contracts of the streams, before a job is paid to read it; tells what was borne."""
    for table in work.services.settings.stream_locations(work.step.name):
        for change in work.services.lake.contract_checks.admit(f"bronze.{table}"):
            text = f"bronze.{table}: {change}"
            work.ledger.note("warning.degraded", str(work.step), message=text, table=f"bronze.{table}")


def _landed_of_all(locations: Mapping[str, str], job: SyncJob, services: Services) -> int:
    return sum(
        settled(partial(_landed, table, location, job, services), f"bronze.{table}")
        for table, location in locations.items()
    )


def _landed(table: str, location: str, job: SyncJob, services: Services) -> int:
    objects = services.s3.objects(location)
    written = [
        found for found in objects if is_data(location, found.key) and wrote(job, found.key, found.modified)
    ]
    return sum(footer.rows for footer in services.lake.footers(f"bronze.{table}", written))
