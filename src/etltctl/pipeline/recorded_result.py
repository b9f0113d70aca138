"""What a run did, by its record: its result, whether something is left to do, and its remote runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from etltctl.ledger import REMOTE_KNOWN, Event, driven_seconds, newest_event
from etltctl.pipeline.model import PipelineResult, Step, StepResult
from etltctl.pipeline.options import RunOptions
from etltctl.runs import Verb


def recorded_result(events: Sequence[Event]) -> PipelineResult:
    """Return what a run did, by its record.

    Args:
        events: The events of the run, oldest first.
    """
    # The last result of each step: an earlier try of the run may have ended otherwise.
    finished = {event["step"]: event for event in events if event["type"] == "step.finished"}
    steps = [
        StepResult(step, event.get("verb", ""), event.get("remote_id", ""), event.get("seconds") or 0.0)
        for step, event in finished.items()
    ]
    pipeline, run_id = str(events[0].get("pipeline", "")), str(events[0]["run_id"])
    return PipelineResult(pipeline, run_id, driven_seconds(events), steps)


def already_done(events: Sequence[Event], options: RunOptions) -> PipelineResult | None:
    """Return the result of a run that is left as it is; None if a retry has something to do.

    Nothing is left to do if every step has succeeded, unless the work is to start fresh. A try may have succeeded that
    ran some of the steps alone. It does not hide a step that failed before.

    Args:
        events: The events of the run, oldest first; at least one.
        options: The options of the retry.
    """
    last = events[-1]
    named: Sequence[str] = next((event["steps"] for event in events if event.get("steps")), ())
    if options.fresh or last["type"] != "run.finished" or last.get("outcome") != "succeeded" or not named:
        return None
    newest = [newest_event(events, step, "step.planned", "step.finished") for step in named]
    if any(event is None or event.get("outcome") != "succeeded" for event in newest):
        return None
    result = recorded_result(events)
    steps = [replace(step, verb=str(Verb.REUSED)) if step.remote_id else step for step in result.steps]
    return replace(result, steps=steps, had_succeeded=True)


def remote_runs(events: Iterable[Mapping[str, Any]]) -> list[tuple[Step, str]]:
    """Return the newest remote run of every step in these events, in the order in which the steps began."""
    started = {event["step"]: event["remote_id"] for event in events if event["type"] in REMOTE_KNOWN}
    return [(Step.parse(step), remote_id) for step, remote_id in started.items()]
