"""The kinds of steps: sync a source, run a Glue job, refresh the catalog; each starts once, waits, and proves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from etltctl.airbyte import wrote
from etltctl.errors import EtltctlError, RunFailedError, UnverifiedError
from etltctl.ledger import Ledger
from etltctl.pipeline.model import Step, StepResult, run_key, steps
from etltctl.pipeline.services import Services
from etltctl.publishing import Published
from etltctl.runs import JobRun, Run, State, SyncJob, Verb
from etltctl.s3 import is_data
from etltctl.waiting import Waiter

# Glue itself ends a run at its timeout; waiting longer than that means that Glue does not answer.
GLUE_GRACE_S = 900


def run_sync(pipeline: str, step: Step, services: Services, ledger: Ledger) -> StepResult:  # noqa: ARG001
    """Syncs the source into bronze and proves that the reported rows landed."""
    settings = services.settings
    source = settings.sources[step.name]
    airbyte = services.airbyte
    before = ledger.last(str(step), "remote.started", "remote.adopted")
    verb, job = airbyte.start_or_adopt(
        services.reveal(source.connection_id, f"sources.{step.name}.connection_id"),
        step.name,
        known_job=before["remote_id"] if before else "",
        before_start=lambda newest: ledger.append("remote.intended", str(step), newest_before=newest),
    )
    _record_start(ledger, step, verb, job)
    is_ours = verb is Verb.STARTED or before is not None
    with _stopped_if_interrupted(ledger, step, job, (lambda: airbyte.cancel(job)) if is_ours else None):
        waiter = Waiter(timeout=settings.airbyte.timeout_minutes * 60)
        job = waiter.wait(job, lambda: airbyte.look_at(job.id, step.name), on_look=_progress(ledger, step))
    if job.state is not State.SUCCEEDED:
        raise _failed(
            job, hint=f"bronze keeps the last good sync; mend the cause, then: etltctl sync {step.name}"
        )
    landed = _proven_before(step, job, ledger)
    if landed is None:
        landed = _prove_landing(step.name, job, services, ledger)
    facts = {"layer": "bronze", "rows": landed, "reported_rows": job.rows}
    return StepResult(str(step), verb, job.id, facts=facts)


def _proven_before(step: Step, job: SyncJob, ledger: Ledger) -> int | None:
    """The rows this very run already proved for the job: a newer sync may have replaced its files since."""
    verdict = ledger.last(str(step), "verify.result")
    is_same = verdict is not None and verdict["proven"] and verdict.get("job") == job.id
    return int(verdict["landed"]) if verdict is not None and is_same else None


def _prove_landing(source: str, job: SyncJob, services: Services, ledger: Ledger) -> int:
    """Counts the rows in the Parquet files this sync wrote; raises UnverifiedError unless they are the reported."""
    landed = sum(
        _landed(location, job, services) for location in services.settings.stream_locations(source).values()
    )
    wanted = services.settings.sources[source].min_rows
    is_proven = landed >= wanted and job.rows in (None, landed)
    ledger.append(
        "verify.result", f"sync:{source}", job=job.id, proven=is_proven, landed=landed, reported=job.rows
    )
    if landed < wanted:
        raise UnverifiedError(
            f"sync of {source} succeeded, but {landed} rows landed in bronze and at least {wanted} are expected",
            hint=f"is the source empty? if that is right, set sources.{source}.min_rows = 0",
            job=job.id,
        )
    if not is_proven:
        raise UnverifiedError(
            f"Airbyte reports {job.rows} rows for {source}, but {landed} landed in bronze",
            hint="nothing was started downstream; look at the connection's destination and streams, then sync again",
            job=job.id,
        )
    return landed


def _landed(location: str, job: SyncJob, services: Services) -> int:
    objects = services.s3.objects(location)
    written = [
        found for found in objects if is_data(location, found.key) and wrote(job, found.key, found.modified)
    ]
    return sum(footer.rows for footer in services.s3.footers(written))


def run_glue(pipeline: str, step: Step, services: Services, ledger: Ledger) -> StepResult:
    """Runs the Glue job and publishes the versions it wrote."""
    verb, run = start_glue(pipeline, step, services, ledger)
    with _stopped_if_interrupted(ledger, step, run, lambda: services.glue.stop(run)):
        waiter = Waiter(timeout=services.settings.glue.jobs[step.name].timeout_minutes * 60 + GLUE_GRACE_S)
        run = waiter.wait(
            run, lambda: services.glue.look_at(step.name, run.id), on_look=_progress(ledger, step)
        )
    if run.state is not State.SUCCEEDED:
        raise _failed(
            run,
            hint="what was published before stays published; mend the cause and run again",
            log="\n".join(services.glue.last_lines(run)),
        )
    facts = _published_once(step, json.loads(run.arguments["--outputs"]), services, ledger)
    return StepResult(str(step), verb, run.id, facts=facts)


def start_glue(pipeline: str, step: Step, services: Services, ledger: Ledger) -> tuple[Verb, JobRun]:
    """Starts the job once, or finds the run of it that belongs to this run id."""
    job = services.settings.glue.jobs[step.name]
    lake, run_id = services.lake, ledger.run_id

    def arguments(failed_before: int) -> Mapping[str, str]:
        # What a failed try left behind stays where it is: the next one writes beside it.
        version = run_id if failed_before == 0 else f"{run_id}.{failed_before + 1}"
        return {
            "--run_id": run_id,
            "--inputs": json.dumps({table: lake.current_location(table) for table in job.reads}),
            "--outputs": json.dumps({table: lake.version_location(table, version) for table in job.writes}),
            "--config": json.dumps(job.config),
        }

    key = run_key(services.settings.env, pipeline, step, run_id)
    ledger.append("remote.intended", str(step), run_key=key)
    verb, run = services.glue.start_or_adopt(step.name, key, arguments)
    _record_start(ledger, step, verb, run)
    return verb, run


def _published_once(
    step: Step, outputs: Mapping[str, str], services: Services, ledger: Ledger
) -> dict[str, Any]:
    """Publishes the versions, unless this very run did so before: a newer run may have published since."""
    layer = next(iter(outputs), "").partition(".")[0]
    before = ledger.last(str(step), "publish.switched")
    if before is not None:
        return {"layer": layer, "rows": before["rows"], "tables": before["tables"]}
    published = _table_facts(services.lake.publish(outputs))
    ledger.append("publish.switched", str(step), **published)
    return {"layer": layer, **published}


def refresh_pipeline(pipeline: str, step: Step, services: Services, ledger: Ledger) -> StepResult:  # noqa: ARG001
    """Brings the catalog in line with the files of every table that the pipeline reads or writes."""
    return refresh_tables(_tables_of(pipeline, services), services, ledger)


def refresh_tables(tables: list[str], services: Services, ledger: Ledger) -> StepResult:
    """Brings the catalog in line with the files of these tables."""
    step = Step("athena", "refresh")
    facts = _table_facts(services.lake.refresh(tables))
    if any(table["change"] != "unchanged" for table in facts["tables"].values()):
        ledger.append("publish.switched", str(step), **facts)
    return StepResult(str(step), facts=facts)


def _tables_of(pipeline: str, services: Services) -> list[str]:
    settings = services.settings
    found: dict[str, None] = {}
    for step in steps(pipeline, settings):
        if step.kind == "sync":
            found |= dict.fromkeys(f"bronze.{name}" for name in settings.stream_locations(step.name))
        elif step.kind == "glue":
            found |= dict.fromkeys(settings.glue.jobs[step.name].writes)
    return list(found)


STEP_KINDS = {"sync": run_sync, "glue": run_glue, "athena": refresh_pipeline}


def _table_facts(published: list[Published]) -> dict[str, Any]:
    tables = {
        found.table: {"change": found.change, "rows": found.rows}
        | ({"audit": found.audit} if found.audit else {})
        for found in published
    }
    return {"rows": sum(found.rows for found in published), "tables": tables}


def _record_start(ledger: Ledger, step: Step, verb: Verb, run: Run) -> None:
    ledger.append(f"remote.{verb}", str(step), service=run.service, remote_id=run.id, state=run.word)


def _progress(ledger: Ledger, step: Step) -> Callable[[Run], None]:
    """Records a look only when the service's word changed; a word nobody knows is warned about once."""
    seen: set[str] = set()

    def on_look(run: Run) -> None:
        if run.word in seen:
            return
        seen.add(run.word)
        ledger.append("step.progress", str(step), remote_id=run.id, state=run.word)
        if not run.is_known:
            text = f"{run.service} reports the unknown state {run.word}; waiting on"
            ledger.append("warning.degraded", str(step), message=text)

    return on_look


@contextmanager
def _stopped_if_interrupted(
    ledger: Ledger, step: Step, run: Run, stop: Callable[[], object] | None
) -> Iterator[None]:
    """Stops the remote run when the wait for it is interrupted, and records who stopped it.

    A run that somebody else started goes on: there is no `stop` for it.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        try:
            if stop is None:
                ledger.append(
                    "warning.degraded", str(step), message=f"{run.id} goes on: it is not of this run"
                )
            else:
                stop()
                ledger.append("remote.stopped", str(step), remote_id=run.id, stopped_by="interrupt")
        except EtltctlError as error:
            ledger.append("warning.degraded", str(step), message=f"{run.id} may go on: {error.message}")
        raise


def _failed(run: Run, *, hint: str, **facts: object) -> RunFailedError:
    reason = f": {run.reason}" if run.reason else ""
    return RunFailedError(
        f"{run.service} run {run.id} of {run.name} ended {run.word}{reason}", hint=hint, **facts
    )
