"""The step of a run that failed, and its cause, as the events have them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etltctl.causes import UNKNOWN, Confidence, Diagnosis, Failure, Line, catalogue, diagnose
from etltctl.ledger import Event, failed_event, newest_event

# How the error of a remote run is worded: service, run, name, status and reason.
OF_A_RUN = re.compile(
    r"^(?P<service>\w+) run \S+ of .+? ended (?P<status>\w+)(?:: (?P<reason>.*))?$", re.DOTALL
)
# How the publisher words an error about the files of a version. Only older records need it: they lack the table.
OF_A_TABLE = re.compile(r"\bof version \S+ of (?P<table>\w+\.\w+)\b")
UNSUCCESSFUL = frozenset({"failed", "unverified", "interrupted"})  # outcomes of a try
LEAST_CODE = re.compile(r"[A-Z]\d{3}")


@dataclass(frozen=True)
class FailedStep:
    """The last event of a failed step, or of a run that failed outside its steps."""

    event: Event

    @property
    def name(self) -> str:
        """The step, `kind:name`; empty for the run itself."""
        return str(self.event.get("step", ""))

    @property
    def error(self) -> str:
        """The error's words; empty if the record has none."""
        return str(self.event.get("error") or "")

    @property
    def service(self) -> str:
        """The service of the step."""
        from etltctl.pipeline.kinds import KINDS

        kind = KINDS.get(self.name.partition(":")[0])
        return kind.service if kind else ""  # a later etltctl may have kinds that this one does not know

    @property
    def names(self) -> dict[str, str]:
        """What the error names, for the words that stand for it in a fix."""
        of_older = OF_A_TABLE.search(self.error)
        table = str(self.event.get("table") or (of_older["table"] if of_older else ""))
        return {"TABLE": table} if table else {}

    @property
    def is_recorded_whole(self) -> bool:
        """Whether the event has the cause: an older etltctl recorded the error alone."""
        return LEAST_CODE.fullmatch(str(self.event.get("cause", ""))) is not None

    def diagnosis(self) -> Diagnosis:
        """Return the cause on record, else the one that the error's words name."""
        if self.is_recorded_whole:
            return self._recorded()
        failure = OF_A_RUN.match(self.error)
        at = str(self.event.get("ts", ""))
        if failure:
            lines = [Line(failure["reason"], at=at)] if failure["reason"] else []
            return diagnose(Failure(tuple(lines), failure["service"], failure["status"]))
        is_query = self.error.startswith("query ")
        lines = [Line(self.error, at=at)] if self.error else []
        return diagnose(Failure(tuple(lines), "Athena" if is_query else ""))

    def _recorded(self) -> Diagnosis:
        # A later etltctl may have recorded a cause that this one does not know; its sentence is on record as well.
        cause = catalogue().get(str(self.event["cause"]), UNKNOWN)
        word = str(self.event.get("confidence", ""))
        confidence = Confidence(word) if word in list(Confidence) else Confidence.LOW
        evidence = tuple(_line(each) for each in _list(self.event.get("evidence")))
        return Diagnosis(cause, confidence, evidence, str(self.event.get("explanation") or ""))


def failed_step(events: Sequence[Event]) -> FailedStep | None:
    """Return the step that ended the run, or the run itself if it failed outside a step; None if nothing failed."""
    event = failed_event(events)
    return FailedStep(event) if event is not None else None


def failed_try(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events up to the end of the newest try that failed, if a later try ended the run with success.

    Args:
        events: The events of the run, oldest first; at least one.

    Returns:
        The events; none if the run did not succeed at last, or none of its tries failed.
    """
    if events[-1]["type"] != "run.finished" or events[-1].get("outcome") != "succeeded":
        return ()
    for end in reversed(range(len(events))):
        if events[end]["type"] == "run.finished" and events[end].get("outcome") in UNSUCCESSFUL:
            return events[: end + 1]
    return ()


def is_repaired(failure: FailedStep, events: Sequence[Event]) -> bool:
    """Return whether the work that failed has succeeded since: a later try may have run other steps alone.

    Args:
        failure: The step, or the run itself.
        events: All events of the run, oldest first. The last one is the end of a try that succeeded.
    """
    newest = newest_event(events, failure.name, "step.finished") if failure.name else events[-1]
    return newest is not None and newest.get("outcome") == "succeeded"


def _line(kept: object) -> Line:
    facts: Mapping[str, Any] = kept if isinstance(kept, Mapping) else {"text": kept}
    return Line(str(facts.get("text", "")), str(facts.get("source", "")), str(facts.get("at", "")))


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []
