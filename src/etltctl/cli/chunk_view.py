"""The live table of a backfill on a terminal: a line for each chunk near the one that runs, drawn by Rich."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from etltctl.cli.fixed_cell import FixedCell
from etltctl.cli.run_state import SMALLEST_USD, TO_COME, RunState
from etltctl.moments import clock_text

if TYPE_CHECKING:
    from etltctl.pipeline import Chunk, ChunkResult

MARK, LABEL, CLOCK, ROWS, USD = 1, 9, 7, 16, 9  # columns of the screen
WITH_ROWS, WITH_USD = 60, 80  # columns of a terminal from which these have room
# A longer list would scroll off the screen, where Rich cannot draw it again.
SHOWN_BEFORE, SHOWN_AFTER = 4, 5


@dataclass
class ChunkLine:
    """One chunk on the screen: its run while it goes on, and what became of it."""

    label: str
    run: RunState | None = None
    result: ChunkResult | None = None

    @property
    def status(self) -> str:
        """What the chunk does: the step of its run and the service's word for it, or how it ended."""
        if self.result is not None:
            return str(self.result.outcome)
        if self.run is None:
            return TO_COME
        step = self.run.running
        return f"{step.title} {step.status}" if step is not None else "starting"


@dataclass
class Whole:
    """The backfill as a whole."""

    lines: Sequence[ChunkLine]
    began: float

    @property
    def usd(self) -> float:
        """What the chunks that have ended cost, in US dollars."""
        return sum(line.result.usd for line in self.lines if line.result is not None)


class ChunkView:
    """The lines of a backfill's chunks.

    Args:
        chunks: The chunks.
        terminal: Where they are drawn.
        is_refreshed: Whether a thread draws them again several times a second.
    """

    def __init__(self, chunks: Sequence[Chunk], terminal: Console, *, is_refreshed: bool = True) -> None:
        """Lay out the columns for the width of the terminal."""
        self.lines = [ChunkLine(chunk.label) for chunk in chunks]
        # Transient: the table of the result takes the place of the lines.
        self.progress = Progress(
            *_columns(terminal.width), console=terminal, transient=True, auto_refresh=is_refreshed
        )
        self._tasks: list[TaskID] = [
            self.progress.add_task("", total=None, subject=line, visible=index <= SHOWN_AFTER)
            for index, line in enumerate(self.lines)
        ]
        whole = Whole(self.lines, self.progress.get_time())
        self.progress.add_task("", total=None, subject=whole)

    def begin(self, index: int, run: RunState) -> None:
        """Show the run of a chunk, and hide the chunks far from it."""
        self.lines[index].run = run
        for each, task in enumerate(self._tasks):
            self.progress.update(task, visible=index - SHOWN_BEFORE <= each <= index + SHOWN_AFTER)

    def end(self, index: int, result: ChunkResult) -> None:
        """Show what became of a chunk."""
        self.lines[index].result = result


Subject = ChunkLine | Whole


class _Mark(SpinnerColumn):
    """A spinner in front of the chunk that runs."""

    def render(self, task: Task) -> Text:
        line = task.fields["subject"]
        is_running = isinstance(line, ChunkLine) and line.run is not None and line.result is None
        mark = super().render(task) if is_running else Text(" ")
        return mark if isinstance(mark, Text) else Text(str(mark))


def _columns(width: int) -> list[ProgressColumn]:
    """Return the columns that have room in a terminal of this width."""
    cells: list[ProgressColumn] = [_Mark(table_column=Column(width=MARK)), FixedCell(_label, LABEL)]
    more: list[ProgressColumn] = []
    # Rich puts an empty column between two columns.
    room = width - MARK - LABEL - CLOCK - 3
    if width >= WITH_ROWS:
        more.append(FixedCell(_rows, ROWS, "right"))
        room -= ROWS + 1
    more.append(FixedCell(_clock, CLOCK, "right"))
    if width >= WITH_USD:
        more.append(FixedCell(_usd, USD, "right"))
        room -= USD + 1
    return [*cells, FixedCell(_status, room), *more]


def _label(subject: Subject, now: float) -> Text:  # noqa: ARG001 - one shape for all columns
    return Text("backfill", style="bold") if isinstance(subject, Whole) else Text(subject.label)


def _status(subject: Subject, now: float) -> Text:  # noqa: ARG001
    if isinstance(subject, Whole):
        done = sum(line.result is not None for line in subject.lines)
        return Text(f"{done} of {len(subject.lines)}")
    if subject.result is None:
        return Text(subject.status, style="dim" if subject.run is None else "bold")
    return Text(subject.status, style="green" if subject.result.outcome.is_done else "red")


def _rows(subject: Subject, now: float) -> Text:  # noqa: ARG001
    rows = None if isinstance(subject, Whole) or subject.result is None else subject.result.rows
    return Text("" if rows is None else f"{rows:,} rows")


def _clock(subject: Subject, now: float) -> Text:
    if isinstance(subject, Whole):
        return Text(clock_text(now - subject.began))
    if subject.result is not None:
        return Text(clock_text(subject.result.seconds))
    run = subject.run
    return Text("" if run is None or run.began is None else clock_text(run.clock() - run.began))


def _usd(subject: Subject, now: float) -> Text:  # noqa: ARG001
    usd = subject.usd if isinstance(subject, Whole) else subject.result.usd if subject.result else 0.0
    return Text(f"{usd:.2f} USD" if usd >= SMALLEST_USD else "")
