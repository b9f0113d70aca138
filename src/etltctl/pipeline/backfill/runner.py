"""A backfill: plan it or resume it, run its chunks in their order within one budget, and leave the source whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from etltctl.connections import SeasonsOfSource
from etltctl.errors import (
    AlreadyRunningError,
    BudgetError,
    DetachedError,
    EtltctlError,
    ExitCode,
    NextStep,
    UsageError,
    command,
)
from etltctl.pipeline.backfill.chunk_run import ChunkRuns
from etltctl.pipeline.backfill.estimate import with_usual_costs
from etltctl.pipeline.backfill.model import (
    BackfillOptions,
    BackfillPlan,
    BackfillResult,
    Chunk,
    ChunkOutcome,
    ChunkResult,
    in_chunks,
)
from etltctl.pipeline.backfill.plan import declared_seasons, require_backfillable, require_declared
from etltctl.pipeline.backfill.record import BackfillRecord, UnfinishedBackfill
from etltctl.pipeline.backfill.season_files import seasons_in_bronze
from etltctl.pipeline.model import outcome_of
from etltctl.pipeline.run_ids import new_run_id
from etltctl.pipeline.run_record import seconds_since
from etltctl.pipeline.services import Services

if TYPE_CHECKING:
    from etltctl.settings import Settings

# Which failure of several decides the exit code, the worst first: data that is not what a service said, then what a
# person has to correct, then what passes by itself.
WORST_FIRST = (
    ExitCode.UNVERIFIED,
    ExitCode.BLOCKED,
    ExitCode.ACCESS,
    ExitCode.CONFIGURATION,
    ExitCode.USAGE,
    ExitCode.FAILED,
    ExitCode.TIMED_OUT,
    ExitCode.ALREADY_RUNNING,
    ExitCode.BUDGET,
)


def plan_backfill(pipeline: str, settings: Settings, options: BackfillOptions) -> BackfillPlan:
    """Return what a backfill would do. Nothing is started or changed.

    Args:
        pipeline: The pipeline's name.
        settings: The settings.
        options: The caller's options.

    Raises:
        UsageError: The range or the pipeline cannot be backfilled.
        ConfigurationError: The settings or the connection do not allow it.
    """
    # Before any service is asked: a range that is wrong needs no answer.
    sync, seasons = require_backfillable(pipeline, settings, options)
    source, services = sync.name, Services(settings)
    configured = SeasonsOfSource.of(source, settings).read()
    held = sorted(seasons_in_bronze(source, services))
    require_declared(source, held, settings)
    record = BackfillRecord.of(pipeline, services)
    before = record.unfinished(seasons[0], seasons[-1], options.chunk)
    plan = BackfillPlan(
        id=new_run_id(f"backfill-{pipeline}"),
        pipeline=pipeline,
        source=source,
        start=seasons[0],
        end=seasons[-1],
        size=options.chunk,
        seasons=tuple(seasons),
        # Seasons that bronze holds are read by every chunk, so a chunk of them alone would add nothing.
        chunks=in_chunks([season for season in seasons if season not in held], options.chunk),
        held=tuple(held),
        configured=None if configured is None else tuple(configured),
        max_usd=options.max_usd,
        keep_going=options.keep_going,
    )
    if before is not None:
        return with_usual_costs(_resumed(plan, before, options), services)
    if not plan.chunks:
        _require_none_open(plan, record)
    return with_usual_costs(plan, services)


def run_backfill(pipeline: str, settings: Settings, options: BackfillOptions) -> BackfillResult:
    """Run the seasons of a range in chunks, each chunk a run of the pipeline with its own id.

    The same call resumes a backfill that has not finished: chunks that are done are reused, live runs adopted, failed
    ones started again.

    Args:
        pipeline: The pipeline's name.
        settings: The settings.
        options: The caller's options.

    Raises:
        UsageError: The range or the pipeline cannot be backfilled.
        ConfigurationError: The settings or the connection do not allow it.
        AlreadyRunningError: Another process backfills the source.
        EtltctlError: The worst error of the chunks that failed.
    """
    sync, _ = require_backfillable(pipeline, settings, options)
    services = Services(settings)
    record = BackfillRecord.of(pipeline, services)
    with record.lease(sync.name) as is_lost:
        plan = plan_backfill(pipeline, settings, options)
        _require_free_ids(plan, services)
        options.on_begin(plan)
        if not plan.chunks:
            result = BackfillResult(plan, (), 0.0)
            options.on_result(result)
            return result
        record.begin(plan)
        seasons = SeasonsOfSource.of(plan.source, settings)
        runs = ChunkRuns(plan, options, services, record, sync, seasons)
        return _Walk(runs, is_lost).to_the_end()


@dataclass
class _Walk:
    """The chunks of a backfill on their way."""

    runs: ChunkRuns
    is_lost: Callable[[], bool]
    started: float = field(default_factory=time.monotonic)
    results: list[ChunkResult] = field(default_factory=list)
    errors: list[EtltctlError] = field(default_factory=list)

    def to_the_end(self) -> BackfillResult:
        """Run every chunk, report the result, and return it or raise the worst error."""
        plan, options = self.runs.plan, self.runs.options
        try:
            for chunk in plan.chunks:
                if not self._run(chunk):
                    break
        finally:
            # Also after an interrupt: the next sync must not stay with the seasons of this chunk.
            self._widen()
            result = BackfillResult(plan, self._all_results(), seconds_since(self.started))
            options.on_result(result)
        if self.errors:
            raise _worst(self.errors)
        self.runs.record.finish(plan)
        return result

    def _run(self, chunk: Chunk) -> bool:
        """Run one chunk; return whether the next one starts."""
        options, started = self.runs.options, time.monotonic()
        if self.is_lost():
            raise AlreadyRunningError(
                f"another process has taken over the backfill of source {self.runs.plan.source}",
                hint="let it finish",
            )
        options.on_start(chunk)
        try:
            result = self.runs.run(chunk)
        except BaseException as error:
            result = self.runs.result(chunk, ChunkOutcome(outcome_of(error)), seconds_since(started), error)
            self._end(result)
            if not isinstance(error, EtltctlError):
                raise
            error.facts |= {"chunk": chunk.label, "resume": NextStep(self.runs.plan.command)}
            if isinstance(error, DetachedError):
                raise
            self.errors.append(error)
            # A budget that is used up is used up for every later chunk.
            return options.keep_going and not isinstance(error, BudgetError)
        self._end(result)
        return True

    def _end(self, result: ChunkResult) -> None:
        self.results.append(result)
        self.runs.options.on_end(result)

    def _all_results(self) -> tuple[ChunkResult, ...]:
        left = self.runs.plan.chunks[len(self.results) :]
        return (*self.results, *(self._unstarted(chunk) for chunk in left))

    def _unstarted(self, chunk: Chunk) -> ChunkResult:
        """Return the result of a chunk that was not started in this try; an earlier try may have rows and costs."""
        try:
            return self.runs.result(chunk, ChunkOutcome.NOT_STARTED)
        except EtltctlError:
            # A store that fails now must not take the place of the error that ended the backfill.
            return ChunkResult(chunk, chunk.run_id(self.runs.plan.id), ChunkOutcome.NOT_STARTED)

    def _widen(self) -> None:
        """Let the source read what it read before the backfill, what bronze holds, and what the backfill has tried."""
        plan = self.runs.plan
        if self.is_lost():
            return  # the process that has taken over says what the source reads
        before = plan.configured or declared_seasons(plan.source, self.runs.services.settings)
        tried = {season for result in self.results for season in result.chunk.seasons}
        try:
            held = seasons_in_bronze(plan.source, self.runs.services)
            self.runs.seasons.write({*before, *held, *tried})
        # The backfill has ended as it has. Until the source is widened, a sync reads what bronze holds and no more.
        except EtltctlError as error:
            self.runs.options.warn(
                NextStep(
                    f"source {plan.source} still reads no more than the last chunk needed: {error.message}; to let it "
                    "read what the settings name: ",
                    command("connections", "apply"),
                )
            )


def _resumed(plan: BackfillPlan, before: UnfinishedBackfill, options: BackfillOptions) -> BackfillPlan:
    """Return the plan with the id, the chunks and the budget of the backfill that has not finished.

    Raises:
        UsageError: It has a season that the settings no longer name.
    """
    undeclared = {season for chunk in before.chunks for season in chunk.seasons} - set(plan.seasons)
    if undeclared:
        raise UsageError(
            f"backfill {before.id} has the season {min(undeclared)}, which the settings no longer name",
            hint=f"add it to sources.{before.source}.seasons again",
        )
    return replace(
        plan,
        id=before.id,
        chunks=before.chunks,
        # As it was before the first try: a try that was killed has left fewer seasons there.
        configured=before.configured,
        is_resumed=True,
        max_usd=before.max_usd if options.max_usd is None else options.max_usd,
    )


def _require_none_open(plan: BackfillPlan, record: BackfillRecord) -> None:
    """Raise UsageError if bronze holds the seasons because a backfill that has not finished brought them.

    Its jobs may have failed, so that the seasons are in no published table.
    """
    ranges = record.open_ranges(plan.seasons)
    if ranges:
        start, end, size = ranges[-1]
        other = replace(plan, start=start, end=end, size=size)
        raise UsageError(
            f"bronze holds every season from {plan.start} to {plan.end}, and a backfill from {start} to {end} has not "
            "finished: its seasons may be in no published table",
            hint=NextStep("resume it: ", other.command),
        )


def _require_free_ids(plan: BackfillPlan, services: Services) -> None:
    """Raise UsageError if a chunk of a new backfill would have the id of a run that exists."""
    if plan.is_resumed:
        return
    taken = {chunk.run_id(plan.id) for chunk in plan.chunks} & set(services.store.run_ids())
    if taken:
        raise UsageError(
            f"run {min(taken)} exists and is not of this backfill; nothing was started",
            hint="run the same command again, which makes another id",
        )


def _worst(errors: Sequence[EtltctlError]) -> EtltctlError:
    return min(errors, key=lambda error: WORST_FIRST.index(error.exit_code))
