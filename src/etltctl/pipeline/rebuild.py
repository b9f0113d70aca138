"""Rebuild a ledger that was lost from what the services remember."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError, EtltctlError
from etltctl.glue import RUN_KEY
from etltctl.ledger import Ledger, read_events
from etltctl.pipeline.glue_costs import dollars
from etltctl.pipeline.glue_step import GlueStep
from etltctl.pipeline.model import Step, steps_as_written
from etltctl.pipeline.run_ids import RunId
from etltctl.pipeline.services import Services
from etltctl.pipeline.sync_step import SyncStep, connection_of
from etltctl.places import version_of
from etltctl.runs import JobRun, State, SyncJob
from etltctl.s3 import is_data

if TYPE_CHECKING:
    from etltctl.settings import Settings

FRESH_STARTS = 10  # of one step, at most, that are recognised


@dataclass(frozen=True)
class Rebuilt:
    """A run whose events were written again: its pipeline, and how many remote runs were recognised."""

    run_id: str
    pipeline: str
    remote_runs: int


@dataclass(frozen=True)
class _Trace:
    """A Glue job run that carries one of etltctl's run keys: of which pipeline, of which fresh start of its step."""

    run: JobRun
    pipeline: str
    step: Step
    generation: int

    @property
    def run_id(self) -> str:
        """The run that started it."""
        return self.run.arguments["--run_id"]


def rebuild(settings: Settings, run_id: str = "") -> list[Rebuilt]:
    """Write the events of every run that Glue remembers and the ledger does not.

    Glue's job runs are recognised by the run key that they carry. The sync of such a run is the newest that had
    succeeded when its first job run began, because the job run would not have been started on anything less. A run
    that is on record stays as it is.

    Args:
        settings: The settings.
        run_id: The one run to rebuild; all lost runs by default.
    """
    services = Services(settings)
    on_record = set(services.store.run_ids())
    if run_id in on_record and not read_events(services.store, run_id):
        on_record.remove(run_id)  # its file is there, and nothing in it can be read
    lost: dict[str, list[_Trace]] = defaultdict(list)
    for trace in _traces(services):
        if trace.run_id not in on_record and run_id in ("", trace.run_id):
            lost[trace.run_id].append(trace)
    return [_rebuild_run(services, name, traces) for name, traces in sorted(lost.items())]


def _traces(services: Services) -> Iterator[_Trace]:
    for job in services.settings.glue.jobs:
        with suppress(ConfigurationError):  # a job that Glue does not have has no runs
            for run in services.glue.job_runs(job):
                if trace := _trace_of(services.settings, run):
                    yield trace


def _trace_of(settings: Settings, run: JobRun) -> _Trace | None:
    """Return what the run's key stands for; None for a key of another environment, or of another program.

    A key is a hash, so the pipeline and the generation are found by trying them all.
    """
    run_id, key, step = run.arguments.get("--run_id", ""), run.arguments.get(RUN_KEY), GlueStep.step(run.name)
    if not key:
        return None
    pipelines = [name for name in settings.pipelines if step in steps_as_written(name, settings)]
    for pipeline in (*pipelines, run.name):
        for generation in range(FRESH_STARTS):
            if key == RunId(run_id, generation).key(step, env=settings.env, pipeline=pipeline):
                return _Trace(run, pipeline, step, generation)
    return None


def _rebuild_run(services: Services, run_id: str, traces: Sequence[_Trace]) -> Rebuilt:
    settings, pipeline = services.settings, traces[0].pipeline
    in_order = sorted(traces, key=lambda trace: trace.run.started or datetime.now(UTC))
    walk = steps_as_written(pipeline, settings) if pipeline in settings.pipelines else [traces[0].step]
    began = in_order[0].run.started
    with services.store.lease(run_id) as is_lost:
        ledger = Ledger(services.store, run_id, settings.env, is_lost=is_lost)
        ledger.append(
            "run.started", pipeline=pipeline, steps=[str(step) for step in walk], rebuilt=True, **_at(began)
        )
        syncs = [step for step in walk if step.kind == SyncStep.name]
        jobs = [job for step in syncs if (job := _write_sync(services, ledger, step, began))]
        for trace in in_order:
            _write_job_run(services, ledger, trace)
    return Rebuilt(run_id, pipeline, len(jobs) + len(traces))


def _write_sync(services: Services, ledger: Ledger, step: Step, before: datetime | None) -> SyncJob | None:
    jobs = services.airbyte.jobs(connection_of(step.name, services), step.name, limit=100)
    done = [job for job in jobs if job.state is State.SUCCEEDED and job.created and before]
    job = next((job for job in done if job.created and before and job.created < before), None)
    if job is None:
        return None
    facts: dict[str, Any] = {"service": job.service, "remote_id": job.id, "state": job.status}
    ledger.append("step.planned", str(step), **_at(job.created))
    ledger.append("remote.adopted", str(step), **facts, ours=False, **_at(job.created))
    if job.rows is not None:
        proof = {"job": job.id, "proven": True, "landed": job.rows, "reported": job.rows}
        ledger.append("verify.result", str(step), **proof, **_at(before))
    return job


def _write_job_run(services: Services, ledger: Ledger, trace: _Trace) -> None:
    run, step = trace.run, str(trace.step)
    while ledger.generation(step) < trace.generation:
        ledger.append("step.planned", step, fresh=True, **_at(run.started))
    ledger.append("step.planned", step, **_at(run.started))
    facts: dict[str, Any] = {"service": run.service, "remote_id": run.id, "state": run.status}
    ledger.append("remote.started", step, **facts, **_at(run.started))
    if usd := dollars(run.dpu_seconds, services.prices.glue_dpu_hour_usd):
        spent = {"usd": usd, "dpu_seconds": run.dpu_seconds, "remote_id": run.id}
        ledger.append("cost.actual", step, **spent, **_at(run.ended))
    outputs: dict[str, str] = json.loads(run.arguments.get("--outputs", "{}"))
    if (
        run.state is State.SUCCEEDED
        and outputs
        and all(_is_published(services, *output) for output in outputs.items())
    ):
        rows = {table: _rows(services, table, location) for table, location in outputs.items()}
        tables = {
            table: {"change": "published", "rows": number, "version": version_of(outputs[table])}
            for table, number in rows.items()
        }
        ledger.append("publish.switched", step, rows=sum(rows.values()), tables=tables, **_at(run.ended))


def _is_published(services: Services, table: str, location: str) -> bool:
    """Return whether the version at this location is or was current."""
    with suppress(EtltctlError):
        return any(
            services.lake.version_location(table, version) == location
            for version in services.lake.versions(table)
        )
    return False


def _rows(services: Services, table: str, location: str) -> int:
    files = [file for file in services.s3.objects(location) if is_data(location, file.key)]
    return sum(footer.rows for footer in services.lake.footers(table, files))


def _at(moment: datetime | None) -> dict[str, str]:
    return {"ts": moment.astimezone(UTC).isoformat(timespec="milliseconds")} if moment else {}
