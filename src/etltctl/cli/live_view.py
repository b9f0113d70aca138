"""The live view of a run on a terminal: a line for each step, with its clock, drawn by Rich's progress display."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from etltctl.cli.fixed_cell import FixedCell, Render
from etltctl.cli.run_state import (
    DONE,
    REUSED,
    SMALLEST_USD,
    TO_COME,
    RunState,
    StepState,
    shortened,
)
from etltctl.moments import clock_text

MARK, STATUS, CLOCK, LEFT = 1, 10, 7, 13  # columns of the screen
WITH_STATUS, WITH_FACTS, WITH_LONG_TITLES = 60, 80, 100  # columns of a terminal from which these have room
TITLE, LONG_TITLE, LONGEST_FACTS = 20, 40, 44


class RunView:
    """The lines of one run.

    Args:
        state: The run. The lines follow it.
        terminal: Where they are drawn.
        is_refreshed: Whether a thread draws them again several times a second.
    """

    def __init__(self, state: RunState, terminal: Console, *, is_refreshed: bool = True) -> None:
        """Lay out the columns for the width of the terminal."""
        self.state = state
        # Transient: the record of the run takes the place of the lines when the run has ended.
        self.progress = Progress(
            *_columns(terminal.width),
            console=terminal,
            transient=True,
            auto_refresh=is_refreshed,
            get_time=state.clock,
        )
        self._whole = self.progress.add_task("", total=None, subject=state)
        self._tasks: dict[str, TaskID] = {}

    def follow(self) -> None:
        """Add the steps that have become known, in front of the line of the whole run."""
        if new := [name for name in self.state.steps if name not in self._tasks]:
            for name in new:
                self._tasks[name] = self.progress.add_task("", total=None, subject=self.state.steps[name])
            # Rich draws tasks in the order in which they were added.
            self.progress.remove_task(self._whole)
            self._whole = self.progress.add_task("", total=None, subject=self.state)

    def hide_ended(self) -> None:
        """Take the steps that have ended off the screen: their lines of the record were printed."""
        for name, task in self._tasks.items():
            if self.state.steps[name].ended is not None:
                self.progress.update(task, visible=False)


class _Mark(SpinnerColumn):
    """A spinner in front of the step that runs."""

    def render(self, task: Task) -> Text:
        subject = task.fields["subject"]
        is_running = isinstance(subject, StepState) and subject.is_running
        mark = super().render(task) if is_running else Text(" ")
        return mark if isinstance(mark, Text) else Text(str(mark))


def _columns(width: int) -> list[ProgressColumn]:
    """Return the columns that have room in a terminal of this width."""
    # Rich puts an empty column between two columns.
    cells: list[ProgressColumn] = [_Mark(table_column=Column(width=MARK))]
    if width < WITH_STATUS:
        cells.append(FixedCell(_title, width - MARK - CLOCK - 2))
    elif width < WITH_FACTS:
        cells += [FixedCell(_title, width - MARK - STATUS - CLOCK - LEFT - 4), FixedCell(_status, STATUS)]
    else:
        title = LONG_TITLE if width >= WITH_LONG_TITLES else TITLE
        room = min(width - MARK - title - STATUS - CLOCK - LEFT - 5, LONGEST_FACTS)
        cells += [FixedCell(_title, title), FixedCell(_status, STATUS), FixedCell(_facts(room), room)]
    cells.append(FixedCell(_clock, CLOCK, "right"))
    if width >= WITH_STATUS:
        cells.append(FixedCell(_left, LEFT))
    return cells


def _title(subject: StepState | RunState, now: float) -> Text:  # noqa: ARG001 - one shape for all columns
    if isinstance(subject, RunState):
        return Text(f"{subject.name} as a whole", style="bold")
    return Text(subject.title, style="dim" if subject.status == TO_COME else "")


def _status(subject: StepState | RunState, now: float) -> Text:  # noqa: ARG001
    if isinstance(subject, RunState):
        done = sum(step.ended is not None for step in list(subject.steps.values()))
        return Text(f"{done} of {len(subject.steps)}" if subject.steps else "")
    if subject.ended is None:
        return Text(subject.status, style="dim" if subject.status == TO_COME else "bold")
    return Text(subject.status, style="green" if subject.status in (DONE, REUSED) else "red")


def _facts(width: int) -> Render:
    """Return what fills the column of this width with a step's rows and remote run, or a run's cost and id."""

    def render(subject: StepState | RunState, now: float) -> Text:  # noqa: ARG001
        if isinstance(subject, RunState):
            first = f"{subject.usd:.2f} USD so far" if subject.usd >= SMALLEST_USD else ""
            second = shortened(subject.run_id)
        else:
            first, second = subject.amount, shortened(subject.remote_id)
            second = f"job {second}" if second.isdigit() else second
        both = ("  " if len(first) + len(second) + 2 <= width else " ").join(filter(None, (first, second)))
        # An id that is cut off says nothing: without room for both, what has moved is shown alone.
        # What moved comes without its last word where even that alone is too long: "stage 12, 140 of 200".
        return Text(
            both if len(both) <= width else first if len(first) <= width else first.rpartition(" ")[0]
        )

    return render


def _clock(subject: StepState | RunState, now: float) -> Text:
    if isinstance(subject, RunState):
        return Text("" if subject.began is None else clock_text(now - subject.began))
    seconds = subject.seconds(now)
    return Text("" if seconds is None else clock_text(seconds))


def _left(subject: StepState | RunState, now: float) -> Text:
    if isinstance(subject, RunState):
        left = subject.left(now)
        return Text(f"~{clock_text(left)} left" if left else "")
    return Text(subject.expectation(now))
