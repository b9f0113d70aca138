"""The record of the backfills of a pipeline, next to the ledger: one line of JSON for each thing that happened."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from etltctl.errors import AlreadyRunningError, NextStep, command
from etltctl.ledger import Store, open_store
from etltctl.ledger.leases import IsLost
from etltctl.pipeline.backfill.model import BackfillPlan, Chunk
from etltctl.pipeline.services import Services

Entry = dict[str, Any]


@dataclass(frozen=True)
class UnfinishedBackfill:
    """A backfill on record that has not finished.

    Attributes:
        id: The backfill's id.
        source: The source's name.
        chunks: Its chunks, oldest first.
        configured: The seasons that the source in Airbyte read before the first try; None for every season.
        max_usd: The newest budget, in US dollars; None without one.
    """

    id: str
    source: str
    chunks: tuple[Chunk, ...]
    configured: tuple[int, ...] | None
    max_usd: float | None


@dataclass(frozen=True)
class BackfillRecord:
    """What is on record of the backfills of one pipeline.

    Attributes:
        store: Where the backfills are kept.
        runs: Where the runs are kept.
    """

    store: Store
    pipeline: str
    runs: Store

    @classmethod
    def of(cls, pipeline: str, services: Services) -> BackfillRecord:
        """Return the record in the place that the setting `state` names."""
        store = open_store(services.settings.state, services.aws, "backfills")
        return cls(store, pipeline, services.store)

    @contextmanager
    def lease(self, source: str) -> Iterator[IsLost]:
        """Hold the right to backfill a source. Pipelines that share a source share it.

        Args:
            source: The source's name.

        Yields:
            A function that returns whether another process has taken the right over.

        Raises:
            AlreadyRunningError: Another process backfills the source.
        """
        with ExitStack() as held:
            try:
                is_lost = held.enter_context(self.store.lease(f"source-{source}"))
            except AlreadyRunningError as error:
                run_id = self._live_run(source)
                follow = (
                    NextStep("follow it: ", command("runs", "watch", run_id))
                    if run_id
                    else NextStep("wait for it")
                )
                raise AlreadyRunningError(
                    f"another process backfills source {source}; nothing was started",
                    hint=NextStep(
                        *follow.parts, "; after the end of that backfill run the same command again"
                    ),
                    # In place of the lease's name, which names a source.
                    **{**error.facts, "run": run_id},
                ) from error
            yield is_lost

    def _live_run(self, source: str) -> str:
        """Return the run of a chunk of this source that a process drives; empty if none is driven at the moment."""
        driven = {run.run_id for run in self.runs.stored_runs() if self.runs.is_driven(run)}
        records = [replace(self, pipeline=pipeline) for pipeline in self.store.run_ids()]
        planned = (e for record in records for e in record._entries() if e["type"] == "planned")
        chunks = (
            Chunk(tuple(seasons)).run_id(str(entry["backfill"]))
            for entry in planned
            if entry["source"] == source
            for seasons in entry["chunks"]
        )
        return next((run_id for run_id in chunks if run_id in driven), "")

    def unfinished(self, start: int, end: int, size: int) -> UnfinishedBackfill | None:
        """Return the newest backfill of this range in chunks of this size; None if it has finished.

        Args:
            start: The first season of the range.
            end: The last season.
            size: The seasons of a chunk.
        """
        entries = self._entries()
        planned = [
            entry
            for entry in entries
            if entry["type"] == "planned"
            and (entry["start"], entry["end"], entry["size"]) == (start, end, size)
        ]
        if not planned:
            return None
        plan = planned[-1]
        later = [entry for entry in entries if entry["backfill"] == plan["backfill"]]
        if any(entry["type"] == "finished" for entry in later):
            return None
        budgets = [entry["max_usd"] for entry in later if entry.get("max_usd") is not None]
        return UnfinishedBackfill(
            id=str(plan["backfill"]),
            source=str(plan["source"]),
            chunks=tuple(Chunk(tuple(seasons)) for seasons in plan["chunks"]),
            configured=None if plan["configured"] is None else tuple(plan["configured"]),
            max_usd=budgets[-1] if budgets else None,
        )

    def open_ranges(self, seasons: Collection[int]) -> list[tuple[int, int, int]]:
        """Return first season, last season and chunk size of each unfinished backfill with one of these seasons.

        Args:
            seasons: The seasons.
        """
        entries = self._entries()
        finished = {entry["backfill"] for entry in entries if entry["type"] == "finished"}
        planned = [
            entry for entry in entries if entry["type"] == "planned" and entry["backfill"] not in finished
        ]
        ranges = [
            (int(entry["start"]), int(entry["end"]), int(entry["size"]))
            for entry in planned
            if {season for chunk in entry["chunks"] for season in chunk} & set(seasons)
        ]
        return list(dict.fromkeys(ranges))

    def begin(self, plan: BackfillPlan) -> None:
        """Record the plan of a new backfill, or the budget of a resumed one."""
        if plan.is_resumed:
            self._add(plan.id, "resumed", max_usd=plan.max_usd)
            return
        self._add(
            plan.id,
            "planned",
            source=plan.source,
            start=plan.start,
            end=plan.end,
            size=plan.size,
            chunks=[list(chunk.seasons) for chunk in plan.chunks],
            configured=None if plan.configured is None else list(plan.configured),
            max_usd=plan.max_usd,
        )

    def land(self, plan: BackfillPlan, run_id: str) -> None:
        """Record that the sync of a chunk's run brought the chunk's seasons."""
        self._add(plan.id, "landed", run_id=run_id)

    def has_landed(self, plan: BackfillPlan, run_id: str) -> bool:
        """Return whether it is on record that the sync of this run brought the chunk's seasons."""
        return any(
            entry["type"] == "landed" and entry.get("run_id") == run_id
            for entry in self._entries()
            if entry["backfill"] == plan.id
        )

    def finish(self, plan: BackfillPlan) -> None:
        """Record that every chunk is done."""
        self._add(plan.id, "finished")

    def _add(self, backfill_id: str, type_: str, **facts: Any) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"ts": at, "backfill": backfill_id, "type": type_, **facts}) + "\n"
        self.store.add(self.pipeline, lambda _: line)

    def _entries(self) -> list[Entry]:
        entries = []
        for line in self.store.read(self.pipeline).splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # a crash cut the line off
            if isinstance(entry, dict) and {"backfill", "type"} <= entry.keys():
                entries.append(entry)
        return entries
