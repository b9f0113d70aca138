"""The events of a run as they happen: drawn for a person, and as a stream for another program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from etltctl.console import Console
from etltctl.errors import NextStep, UsageError, command

Event = Mapping[str, Any]
Listener = Callable[[Event], None]

STDOUT = "-"
LONGEST_ID = 16  # characters of a remote run's id on the live line
SMALLEST_USD = 0.005  # a smaller amount would be printed as 0.00


@contextmanager
def drawn_run(console: Console, name: str) -> Iterator[Listener]:
    """Yield a listener that draws a run's events: a line for each step, and what is under way on the live line.

    Args:
        console: Where the run is drawn.
        name: The run's pipeline, or what else is run.
    """
    # Here, because the import takes a moment in which the live line's clock would stand still.
    import_module("etltctl.pipeline")
    with console.working(name) as describe:
        yield RunProgress(console, name, describe).draw


@dataclass
class RunProgress:
    """The drawing of one run."""

    console: Console
    name: str
    describe: Callable[[str], None]  # replaces the text of the live line
    _is_named: bool = False  # whether a line names the run already
    _switched: set[str] = field(default_factory=set)  # steps that published a version in this invocation

    def draw(self, event: Event) -> None:
        """Draw one event."""
        from etltctl.pipeline.kinds import title_of

        kind, step = event["type"], title_of(event["step"])
        if kind == "run.started":
            self.console.say(f"run {event['run_id']}")
        elif kind == "publish.switched":
            self._switched.add(event["step"])
        elif kind == "step.planned":
            self.describe(f"{step} …")
        elif kind in {"remote.started", "remote.adopted", "step.progress"}:
            self.describe(f"{step} {event['state']} {_short(event['remote_id'])}")
            if self.console.verbosity:
                self.console.say(f"  {step}: {kind} {event['remote_id']} {event['state']}")
        elif kind == "remote.stopped":
            self.console.say(f"stopped {event['remote_id']} of {step}")
        elif kind == "preflight.skipped":
            self.console.say(f"warning: the permissions of the caller were not checked: {event['reason']}")
        elif kind == "warning.degraded":
            self.console.say(_warning(event))
        elif kind == "step.finished" and event["outcome"] == "succeeded":
            self.console.say(self._step_line(event))

    def _step_line(self, event: Event) -> str:
        from etltctl.pipeline.kinds import line_of

        # The pipeline's name stands in its first line alone, as in a table with merged cells.
        shown = "" if self._is_named else self.name
        self._is_named = True
        line = line_of(event)
        cells = (
            f"{shown:<9} {line.label:<21} {event['verb']:<8} {line.amount:<20} "
            f"{event.get('layer', ''):<7} {event['seconds']:>5.1f} s  {self._result(line.result, event)}"
        )
        return cells.rstrip()

    def _result(self, achieved: str, event: Event) -> str:
        """Return what the step did, and its cost."""
        result = (
            "as before" if event["verb"] == "reused" and event["step"] not in self._switched else achieved
        )
        # Costs of less than half a cent would be printed as nothing.
        usd = event.get("usd", 0.0)
        return f"{result} · {usd:.2f} USD" if usd >= SMALLEST_USD else result


def _warning(event: Event) -> NextStep:
    """Return the warning of the event, which is text; the command that resumes its run is the one that it may name."""
    # The event is text and knows no flags; the command is cut out and spelled with them.
    retry = command("retry", event["run_id"])
    before, is_named, after = str(event["message"]).partition(str(retry))
    return NextStep("warning: ", before, *((retry, after) if is_named else ()))


def _short(remote_id: str) -> str:
    """Return the two ends of an id, so that the state and the clock stay on a line of 80 columns."""
    return remote_id if len(remote_id) <= LONGEST_ID else f"{remote_id[:7]}…{remote_id[-4:]}"


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
