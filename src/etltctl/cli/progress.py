"""The events of a run as they happen: drawn for a person, and as a stream for another program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from etltctl.cli.run_state import SMALLEST_USD, Event, RunState
from etltctl.console import Console
from etltctl.errors import NextStep, UsageError, command

if TYPE_CHECKING:
    from etltctl.cli.live_view import RunView
    from etltctl.runs import Run

Listener = Callable[[Event], None]

STDOUT = "-"
NAME, LABEL = 9, 21  # the least widths of the columns of a run's name and of a step's


class Drawing(Protocol):
    """What draws the events of a command."""

    def draw(self, event: Event) -> None:
        """Draw one event."""

    def poll(self, step: str, run: Run, usd: float, env: str) -> None:
        """Show what a poll of a step's remote run reports; `RunState.poll` has the arguments."""

    def settle(self) -> None:
        """End whatever moves. What follows is written at once."""


@contextmanager
def drawn_run(
    console: Console,
    name: str,
    durations: Mapping[str, Sequence[float]] | None = None,
    so_far: Sequence[Event] = (),
) -> Iterator[RunProgress]:
    """Yield what draws a run: a live view on a terminal, a line for each step that has ended, else a heartbeat.

    Args:
        console: Where the run is drawn.
        name: The run's pipeline, or what else is run.
        durations: How long earlier runs took, by step, in seconds.
        so_far: The events of the run before this command, for one that only joins it.
    """
    # Here, because the import takes a moment in which the clocks would stand still.
    import_module("etltctl.pipeline")
    state = RunState(name, durations or {})
    with ExitStack() as showing:
        progress = RunProgress(console, state, showing)
        if console.draws:
            progress.open_view()
        else:
            showing.enter_context(console.beating(lambda: f"  {line}" if (line := state.line()) else ""))
        progress.replay(so_far)
        try:
            yield progress
        finally:
            progress.settle()


@dataclass
class RunProgress:
    """The drawing of one run.

    While the live view is open, the line of each step that has ended waits for its end, or for a warning: the screen
    shows each step once, and what stays behind is the same as without a terminal.
    """

    console: Console
    state: RunState
    showing: ExitStack = field(default_factory=ExitStack)  # ends the live view or the heartbeat
    view: RunView | None = None
    _is_named: bool = False  # whether a line names the run already
    _switched: set[str] = field(default_factory=set)  # steps that published a version in this invocation
    _replayed: set[str] = field(
        default_factory=set
    )  # steps that had ended before this command joined the run
    _waiting: list[str] = field(default_factory=list)  # lines of the record

    def open_view(self) -> None:
        """Show the live view."""
        from rich.console import Console as RichConsole

        from etltctl.cli.live_view import RunView

        self.view = RunView(self.state, RichConsole(file=self.console.stderr))
        self.showing.enter_context(self.console.drawing(self.view.progress))

    def settle(self) -> None:
        """End the live view or the heartbeat, and write the lines that wait. What follows is written at once."""
        self.showing.close()
        self.view = None
        self._write_waiting()

    def replay(self, events: Sequence[Event]) -> None:
        """Draw the events that were written before this command joined the run."""
        starts = [number for number, event in enumerate(events) if event["type"] == "run.started"]
        newest_try = events[starts[-1] if starts else 0 :]
        self.state.replay(newest_try)
        for event in newest_try:
            if event["type"] == "step.finished" and event.get("outcome") == "succeeded":
                self._replayed.add(event["step"])
                with suppress(KeyError, TypeError, ValueError):  # an older etltctl may have recorded less
                    self._waiting.append(self._step_line(event))
        self._follow()

    def poll(self, step: str, run: Run, usd: float, env: str) -> None:
        """Show what a poll of a step's remote run reports; `RunState.poll` has the arguments."""
        self.state.poll(step, run, usd, env)

    def draw(self, event: Event) -> None:
        """Draw one event."""
        self.state.apply(event)
        kind = event["type"]
        if kind == "publish.switched":
            self._switched.add(event["step"])
        elif kind == "step.finished" and event["outcome"] == "succeeded":
            # A run that is resumed reuses what it had done: its line stands already.
            if not (event["verb"] == "reused" and event["step"] in self._replayed):
                self._waiting.append(self._step_line(event))
        elif said := said_of(event, self.console.verbosity):
            self._say(said)
        self._follow()

    def _follow(self) -> None:
        if self.view is None:
            self._write_waiting()
        else:
            self.view.follow()

    def _say(self, text: str | NextStep) -> None:
        """Say a line, after the lines of the steps before it."""
        if self.view is not None:
            self.view.hide_ended()
        self._write_waiting()
        self.console.say(text)

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for line in waiting:
            self.console.say(line)

    def _step_line(self, event: Event) -> str:
        from etltctl.pipeline.kinds import line_of

        # The pipeline's name stands in its first line alone, as in a table with merged cells.
        shown = "" if self._is_named else self.state.name
        self._is_named = True
        line = line_of(event)
        cells = (
            f"{shown:<{self._name_width}} {line.label:<{self._label_width}} {event['verb']:<8} {line.amount:<20} "
            f"{event.get('layer', ''):<7} {event['seconds']:>5.1f} s  {self._result(line.result, event)}"
        )
        return cells.rstrip()

    @property
    def _name_width(self) -> int:
        return max(NAME, len(self.state.name))

    @property
    def _label_width(self) -> int:
        """The width of the column of the steps: the same in every line of the run, and so that of its longest name."""
        return max([LABEL, *(len(step.partition(":")[2]) for step in self.state.steps)])

    def _result(self, achieved: str, event: Event) -> str:
        """Return what the step did, and its cost."""
        result = (
            "as before" if event["verb"] == "reused" and event["step"] not in self._switched else achieved
        )
        # Costs of less than half a cent would be printed as nothing.
        usd = event.get("usd", 0.0)
        return f"{result} · {usd:.2f} USD" if usd >= SMALLEST_USD else result


def said_of(event: Event, verbosity: int) -> str | NextStep:
    """Return what is said of an event as soon as it happens; empty for most.

    Args:
        event: The event as the ledger has it.
        verbosity: How often the user wrote `-v`.
    """
    from etltctl.pipeline.kinds import title_of

    match event["type"]:
        case "run.started":
            return f"run {event['run_id']}"
        case "remote.started" | "remote.adopted" | "step.progress" as kind if verbosity:
            return f"  {title_of(event['step'])}: {kind} {event['remote_id']} {event['state']}"
        case "remote.stopped":
            return f"stopped {event['remote_id']} of {title_of(event['step'])}"
        case "preflight.skipped":
            return f"warning: the permissions of the caller were not checked: {event['reason']}"
        case "warning.degraded":
            return _warning(event)
    return ""


def _warning(event: Event) -> NextStep:
    """Return the warning of the event, which is text; the command that resumes its run is the one that it may name."""
    # The event is text and knows no flags; the command is cut out and spelled with them.
    retry = command("retry", event["run_id"])
    before, is_named, after = str(event["message"]).partition(str(retry))
    return NextStep("warning: ", before, *((retry, after) if is_named else ()))


@contextmanager
def event_stream(target: str, stdout: TextIO, warn: Callable[[str], None]) -> Iterator[Listener]:
    """Yield a listener that writes every event to a target, a line each.

    A reader that goes away causes one warning and fails no run.

    Args:
        target: A file, or `-` for standard output; empty for no stream.
        stdout: Standard output.
        warn: Called with the warning.

    Raises:
        UsageError: The file cannot be opened.
    """
    if not target:
        yield lambda _: None
        return
    if target == STDOUT:
        # Flushed a line at a time: the reader is another program that acts on each.
        yield _writer(target, lambda line: (stdout.write(line), stdout.flush()), warn)
        return
    try:
        # Unbuffered: every event is in the file when the next one happens, even after a kill.
        file = Path(target).open("wb", buffering=0)  # noqa: SIM115 - closed below; an error of opening differs from one of writing
    except OSError as error:
        raise UsageError(f"cannot write the events to {target}: {error.strerror}") from error
    with file:
        yield _writer(target, lambda line: file.write(line.encode()), warn)


def _writer(target: str, write: Callable[[str], object], warn: Callable[[str], None]) -> Listener:
    """Write the line that names the schema, and return a listener that writes each event until a write fails."""
    from etltctl.ledger import VERSION_LINE

    is_open = True

    def write_line(line: str) -> None:
        nonlocal is_open
        if not is_open:
            return
        try:
            write(line)
        except (OSError, ValueError) as error:
            # One warning and then silence: a full disk would else be reported at every event.
            is_open = False
            warn(f"warning: the events can no longer be written to {target}: {error}")

    write_line(VERSION_LINE)
    return lambda event: write_line(json.dumps(event, default=str) + "\n")
