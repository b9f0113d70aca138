"""What a backfill consists of: its chunks, what became of each, and what the caller asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from etltctl.errors import UsageError
from etltctl.next_steps import Command, NextStep, command
from etltctl.pipeline.options import RunOptions


class ChunkOutcome(StrEnum):
    """What became of a chunk. A chunk whose run has ended has the word of its run."""

    SUCCEEDED = "succeeded"
    REUSED = "reused"
    FAILED = "failed"
    UNVERIFIED = "unverified"
    DETACHED = "detached"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not started"

    @property
    def is_done(self) -> bool:
        """Whether the chunk's seasons are in the published tables."""
        return self in (ChunkOutcome.SUCCEEDED, ChunkOutcome.REUSED)


@dataclass(frozen=True)
class Chunk:
    """Seasons that one run adds, oldest first."""

    seasons: tuple[int, ...]

    @property
    def label(self) -> str:
        """The chunk's name, which is the end of its run id: `2019`, or `2019-2021`."""
        first, last = self.seasons[0], self.seasons[-1]
        return str(first) if first == last else f"{first}-{last}"

    def run_id(self, backfill_id: str) -> str:
        """Return the id of the chunk's run, the same in every try of the backfill."""
        return f"{backfill_id}-{self.label}"


@dataclass(frozen=True)
class ChunkResult:
    """What became of a chunk.

    Attributes:
        rows: The rows that its sync landed in bronze, those of the earlier seasons included; None if no sync ended.
        seconds: How long this try took.
        usd: What its run has cost in all tries, in US dollars.
        error: Why it failed; empty if it did not.
        exit_code: The exit code of its failure; 0 if it did not fail.
    """

    chunk: Chunk
    run_id: str
    outcome: ChunkOutcome
    rows: int | None = None
    seconds: float = 0.0
    usd: float = 0.0
    error: str = ""
    exit_code: int = 0


@dataclass(frozen=True)
class BackfillPlan:
    """The chunks of a backfill, oldest first.

    Attributes:
        id: The backfill's id, with which the run ids of its chunks begin.
        seasons: The seasons of the range.
        held: The seasons that bronze holds, so that every sync reads them again.
        configured: The seasons that the source in Airbyte read before the backfill began; None for every season.
        is_resumed: Whether the backfill began before.
        max_usd: The budget of all chunks together, in US dollars; None without one.
        keep_going: Whether later chunks start after one that failed.
        usual_seconds: How long the pipeline's newest successful run took; None if none is on record.
        usual_usd: What it cost, in US dollars.
    """

    id: str
    pipeline: str
    source: str
    start: int
    end: int
    size: int
    seasons: tuple[int, ...]
    chunks: tuple[Chunk, ...]
    held: tuple[int, ...] = ()
    configured: tuple[int, ...] | None = None
    is_resumed: bool = False
    max_usd: float | None = None
    keep_going: bool = False
    usual_seconds: float | None = None
    usual_usd: float = 0.0

    @property
    def reads(self) -> list[tuple[int, ...]]:
        """The seasons that the sync of each chunk reads, if every chunk before it succeeds."""
        held, reads = set(self.held), []
        for chunk in self.chunks:
            held |= set(chunk.seasons)
            reads.append(tuple(sorted(held)))
        return reads

    @property
    def command(self) -> Command:
        """The command that resumes the backfill."""
        size = () if self.size == 1 else ("--chunk", str(self.size))
        span = ("--start", str(self.start), "--end", str(self.end))
        going = ("--keep-going",) if self.keep_going else ()
        return command("backfill", self.pipeline, *span, *size, *going)

    @property
    def added(self) -> int:
        """How many seasons the chunks add."""
        return sum(len(chunk.seasons) for chunk in self.chunks)

    @property
    def read_count(self) -> int:
        """How many seasons all syncs together read, the repeated ones included."""
        return sum(map(len, self.reads))

    @property
    def seconds(self) -> float | None:
        """The least that all chunks are expected to take, in seconds; None if no run is on record."""
        return None if self.usual_seconds is None else round(self.usual_seconds * len(self.chunks), 1)

    @property
    def usd(self) -> float | None:
        """What all chunks are expected to cost, in US dollars; None if no run is on record."""
        return None if self.usual_seconds is None else round(self.usual_usd * len(self.chunks), 6)


@dataclass(frozen=True)
class BackfillResult:
    """What a backfill did: a result for each chunk of its plan, in their order."""

    plan: BackfillPlan
    chunks: tuple[ChunkResult, ...]
    seconds: float

    @property
    def outcome(self) -> str:
        """One word for the whole: `succeeded`, else the outcome of the first chunk that is not done."""
        undone = [each.outcome for each in self.chunks if not each.outcome.is_done]
        # A chunk that failed says more than those after it, which were not started.
        return str(undone[0]) if undone else str(ChunkOutcome.SUCCEEDED)

    @property
    def done(self) -> int:
        """How many chunks are done."""
        return sum(each.outcome.is_done for each in self.chunks)

    @property
    def usd(self) -> float:
        """What the runs of all chunks have cost so far, in US dollars."""
        return sum(each.usd for each in self.chunks)


@dataclass(frozen=True)
class BackfillOptions:
    """What the caller asks of a backfill.

    Attributes:
        start: The first season of the range.
        end: The last season of the range, which belongs to it.
        chunk: The seasons of a chunk.
        max_usd: The most that all chunks together may cost, in US dollars. A resumed backfill keeps its limit.
        keep_going: Whether later chunks start after one that failed.
        run: The listeners of each run, and what an interrupt does.
        on_begin: Called with the plan before the first chunk.
        on_start: Called with each chunk before its run begins.
        on_end: Called with what became of each chunk.
        on_result: Called with the whole result once, also if an error or an interrupt ends the backfill.
        warn: Called with a warning.
    """

    start: int | str
    end: int | str
    chunk: int = 1
    max_usd: float | None = None
    keep_going: bool = False
    run: RunOptions = field(default_factory=RunOptions)
    on_begin: Callable[[BackfillPlan], object] = field(default=lambda _: None, repr=False)
    on_start: Callable[[Chunk], object] = field(default=lambda _: None, repr=False)
    on_end: Callable[[ChunkResult], object] = field(default=lambda _: None, repr=False)
    on_result: Callable[[BackfillResult], object] = field(default=lambda _: None, repr=False)
    warn: Callable[[NextStep], object] = field(default=lambda _: None, repr=False)

    def __post_init__(self) -> None:
        """Raise UsageError if `max_usd` is negative, infinite or not a number, or `chunk` is less than 1."""
        if self.max_usd is not None and not 0 <= self.max_usd < math.inf:
            raise UsageError(f"max_usd is {self.max_usd}", hint="name an amount of US dollars, 0 or more")
        if self.chunk < 1:
            raise UsageError(f"a chunk of {self.chunk} seasons is empty", hint="name 1 or more")


def in_chunks(seasons: Sequence[int], size: int) -> tuple[Chunk, ...]:
    """Return the seasons in chunks of `size`, in their order; the last chunk may have fewer."""
    return tuple(Chunk(tuple(seasons[first : first + size])) for first in range(0, len(seasons), size))
