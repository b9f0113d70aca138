"""The chunks of a backfill as they happen: a live table on a terminal, else a line a chunk and a heartbeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etltctl.cli.progress import said_of
from etltctl.cli.run_state import SMALLEST_USD, Event, RunState
from etltctl.console import Console
from etltctl.errors import NextStep
from etltctl.moments import clock_text

if TYPE_CHECKING:
    from etltctl.cli.chunk_view import ChunkView
    from etltctl.pipeline import BackfillPlan, Chunk, ChunkResult
    from etltctl.runs import Run


@contextmanager
def drawn_chunks(console: Console) -> Iterator[ChunkProgress]:
    """Yield what draws the chunks of a backfill.

    Args:
        console: Where they are drawn.
    """
    with ExitStack() as showing:
        progress = ChunkProgress(console, showing)
        try:
            yield progress
        finally:
            progress.settle()


@dataclass
class ChunkProgress:
    """The drawing of one backfill."""

    console: Console
    showing: ExitStack = field(default_factory=ExitStack)  # ends the live table or the heartbeat
    view: ChunkView | None = None
    chunks: tuple[Chunk, ...] = ()
    run: RunState = field(default_factory=lambda: RunState(""))
    ended: int = 0

    def begin(self, plan: BackfillPlan) -> None:
        """Name the backfill, and open the live table or the heartbeat."""
        self.chunks = plan.chunks
        if not plan.chunks:
            return
        verb = "resumes" if plan.is_resumed else "begins"
        self.console.say(f"backfill {plan.id} {verb}: {len(plan.chunks)} chunks of {plan.pipeline}")
        if not self.console.draws:
            self.showing.enter_context(self.console.beating(self._beat))
            return
        from rich.console import Console as RichConsole

        from etltctl.cli.chunk_view import ChunkView

        self.view = ChunkView(plan.chunks, RichConsole(file=self.console.stderr))
        self.showing.enter_context(self.console.drawing(self.view.progress))

    def start(self, chunk: Chunk) -> None:
        """Show that a chunk begins."""
        # A new state for each run: its clocks and costs are its own.
        self.run = RunState(chunk.label)
        if self.view is not None:
            self.view.begin(self.chunks.index(chunk), self.run)

    def end(self, result: ChunkResult) -> None:
        """Show what became of a chunk: in the live table, else on a line."""
        self.ended += 1
        if self.view is not None:
            self.view.end(self.chunks.index(result.chunk), result)
        else:
            self.console.say(chunk_line(result))

    def draw(self, event: Event) -> None:
        """Follow an event of the run of the chunk that goes on."""
        self.run.apply(event)
        # The ids of the runs are in the table of the result.
        if event["type"] != "run.started" and (said := said_of(event, self.console.verbosity)):
            self.console.say(said)

    def poll(self, step: str, run: Run, usd: float, env: str) -> None:
        """Show what a poll of a step's remote run reports; `RunState.poll` has the arguments."""
        self.run.poll(step, run, usd, env)

    def warn(self, advice: NextStep) -> None:
        """Say a warning."""
        self.console.warn(advice)

    def settle(self) -> None:
        """End the live table or the heartbeat. What follows is written at once."""
        self.showing.close()
        self.view = None

    def _beat(self) -> str:
        line = self.run.line()
        return f"  {self.ended} of {len(self.chunks)} chunks; {self.run.name}: {line}" if line else ""


def chunk_line(result: ChunkResult) -> str:
    """Return what became of a chunk, as a line."""
    rows = "" if result.rows is None else f"{result.rows:,} rows"
    usd = f"  {result.usd:.2f} USD" if result.usd >= SMALLEST_USD else ""
    line = f"  {result.chunk.label:<9} {result.outcome!s:<11} {rows:>16}  {clock_text(result.seconds)}{usd}"
    return f"{line}  {result.error}" if result.error else line
