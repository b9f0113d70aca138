"""The run of one chunk: widen what the source reads, run the pipeline, prove that the chunk's seasons landed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from etltctl.connections import SeasonsOfSource
from etltctl.errors import (
    BudgetError,
    Command,
    DetachedError,
    EtltctlError,
    NextStep,
    UnverifiedError,
    command,
)
from etltctl.ledger import Event, Ledger, newest_event, read_events
from etltctl.pipeline.backfill.model import BackfillOptions, BackfillPlan, Chunk, ChunkOutcome, ChunkResult
from etltctl.pipeline.backfill.record import BackfillRecord
from etltctl.pipeline.backfill.season_files import seasons_in_bronze
from etltctl.pipeline.failure_cause import name_cause
from etltctl.pipeline.kinds import steps
from etltctl.pipeline.model import Step
from etltctl.pipeline.run_record import seconds_since
from etltctl.pipeline.runner import run_pipeline
from etltctl.pipeline.services import Services
from etltctl.values import is_billed


@dataclass(frozen=True)
class ChunkRuns:
    """The runs of a backfill's chunks."""

    plan: BackfillPlan
    options: BackfillOptions
    services: Services
    record: BackfillRecord
    sync: Step
    seasons: SeasonsOfSource
    spent: dict[str, float] = field(default_factory=dict)  # by run id, in US dollars

    def run(self, chunk: Chunk) -> ChunkResult:
        """Run the chunk, or reuse it if its run has succeeded before.

        Raises:
            EtltctlError: The error of the run.
        """
        started = time.monotonic()
        run_id = chunk.run_id(self.plan.id)
        events = read_events(self.services.store, run_id)
        if self._is_done(chunk, events):
            return self.result(chunk, ChunkOutcome.REUSED, seconds_since(started))
        limit = self._limit(chunk)
        is_fresh = self._prepare(chunk, events)

        def prove(step: Step) -> None:
            if step == self.sync:
                self._prove(chunk)

        run = replace(
            self.options.run, run_id=run_id, fresh=is_fresh, max_usd=limit, after_step=prove,
        )  # fmt: skip
        run_pipeline(self.plan.pipeline, self.services.settings, run)
        return self.result(chunk, ChunkOutcome.SUCCEEDED, seconds_since(started))

    def result(
        self, chunk: Chunk, outcome: ChunkOutcome, seconds: float = 0.0, error: BaseException | None = None
    ) -> ChunkResult:
        """Return what became of a chunk, with its rows and costs as its run has them on record.

        Args:
            chunk: The chunk.
            outcome: How it ended.
            seconds: How long this try took.
            error: What ended it.
        """
        run_id = chunk.run_id(self.plan.id)
        ended = newest_event(read_events(self.services.store, run_id), str(self.sync), "step.finished")
        rows = ended.get("rows") if ended is not None and ended.get("outcome") == "succeeded" else None
        # Read also where nothing is billed: the budget of the next chunks counts that work as well.
        spent = self._usd(run_id)
        failure = error if isinstance(error, EtltctlError) and not isinstance(error, DetachedError) else None
        return ChunkResult(
            chunk,
            run_id,
            outcome,
            rows,
            seconds,
            spent if is_billed(self.services.settings.env) else 0.0,
            failure.message if failure else "",
            int(failure.exit_code) if failure else 0,
        )

    def _is_done(self, chunk: Chunk, events: Sequence[Event]) -> bool:
        """Return whether the chunk's run has succeeded as a whole, and bronze still holds the chunk's seasons.

        A run of the pipeline with fewer seasons in the settings may have taken them away since.
        """
        whole = [str(step) for step in steps(self.plan.pipeline, self.services.settings)]
        started = newest_event(events, "", "run.started", "run.finished")
        if started is None or started["type"] != "run.finished" or started.get("outcome") != "succeeded":
            return False
        began = newest_event(events, "", "run.started")
        # Someone may have run a part of it by hand, which says nothing of the rest.
        is_whole = began is not None and began.get("steps") == whole
        has_landed = self.record.has_landed(self.plan, chunk.run_id(self.plan.id))
        return (
            is_whole
            and has_landed
            and seasons_in_bronze(self.plan.source, self.services) >= set(chunk.seasons)
        )

    def _limit(self, chunk: Chunk) -> float | None:
        """Return what the chunk's run may cost in all its tries; None without a budget."""
        if self.plan.max_usd is None:
            return None
        own = self._usd(chunk.run_id(self.plan.id))
        others = sum(self._spent(each.run_id(self.plan.id)) for each in self.plan.chunks if each is not chunk)
        limit = self.plan.max_usd - others
        if limit < own or (limit == own and others + own > 0):
            error = BudgetError(
                f"chunk {chunk.label} was not started: the chunks so far cost {others + own:.2f} USD, and max_usd "
                f"of the backfill is {self.plan.max_usd:.2f} USD",
                hint=NextStep(
                    "raise it, for example: ", self._raised(2 * max(self.plan.max_usd, others + own))
                ),
            )
            name_cause(error, step=str(self.sync), run_id="")
            raise error
        return max(limit, 0.0)

    def _raised(self, usd: float) -> Command:
        return command(*self.plan.command.words, "--max-usd", f"{usd:.2f}")

    def _spent(self, run_id: str) -> float:
        """Return what a run has cost, read once: only the run of the chunk that is driven spends anything."""
        if run_id not in self.spent:
            self._usd(run_id)
        return self.spent[run_id]

    def _usd(self, run_id: str) -> float:
        """Return what a run has cost by its record of now."""
        self.spent[run_id] = Ledger(self.services.store, run_id, self.services.settings.env).usd()
        return self.spent[run_id]

    def _prepare(self, chunk: Chunk, events: Sequence[Event]) -> bool:
        """Let the next sync read the chunk's seasons, unless an earlier try has landed them.

        Returns:
            Whether the run has to start its steps again: its sync succeeded without the chunk's seasons.
        """
        run_id = chunk.run_id(self.plan.id)
        held = seasons_in_bronze(self.plan.source, self.services)
        ended = newest_event(events, str(self.sync), "step.finished")
        has_synced = ended is not None and ended.get("outcome") == "succeeded"
        if has_synced and held >= set(chunk.seasons):
            if not self.record.has_landed(self.plan, run_id):
                self.record.land(self.plan, run_id)  # the process died between the sync and its proof
            return False
        intended = newest_event(events, str(self.sync), "remote.intended", "remote.started", "remote.adopted")
        # Without an answer on record any job may be the run's own; the step finds out which.
        if intended is None or intended["type"] != "remote.intended":
            ours = {str(event["remote_id"]) for event in events if event.get("remote_id")}
            self.seasons.require_no_sync(ours)
        # Never fewer than bronze holds: the sync overwrites, so a season that it does not read is gone.
        self.seasons.write(held | set(chunk.seasons))
        # A sync of another caller may have ended since bronze was read.
        grown = seasons_in_bronze(self.plan.source, self.services) - held
        if grown:
            self.seasons.write(held | grown | set(chunk.seasons))
        return has_synced

    def _prove(self, chunk: Chunk) -> None:
        """Record that the chunk's seasons landed; raise UnverifiedError if one of them did not."""
        run_id = chunk.run_id(self.plan.id)
        missing = set(chunk.seasons) - seasons_in_bronze(self.plan.source, self.services)
        if missing:
            raise UnverifiedError(
                f"the sync of {self.plan.source} succeeded, but bronze has no row of season "
                f"{', '.join(map(str, sorted(missing)))}; no job was started, and no table has changed",
                hint=NextStep("if the source has it, sync it again: ", self.plan.command),
            )
        if not self.record.has_landed(self.plan, run_id):
            self.record.land(self.plan, run_id)
