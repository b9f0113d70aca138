"""The tries of a run and of its steps, as OpenLineage's runs, from events of every kind of run."""

from __future__ import annotations

from typing import Any

import pytest

from etltctl.observers.lineage.tries import transitions


def events(*lines: str) -> list[dict[str, Any]]:
    """Return the events that lines such as `step.finished a failed` describe."""
    described = []
    for number, line in enumerate(lines, start=1):
        kind, step, outcome, *_ = [*line.split(), "", ""]
        described.append(
            {
                "type": kind,
                "step": "" if step == "-" else step,
                "outcome": outcome,
                "seq": number,
                "ts": str(number),
            }
        )
    return described


def changes(*lines: str) -> list[str]:
    """Return the transitions of a run as `CHANGE step number`."""
    return [f"{each.change} {each.of.step or 'run'} {each.of.number}" for each in transitions(events(*lines))]


@pytest.mark.parametrize(
    ("outcome", "change"),
    [
        ("succeeded", "COMPLETE"), ("failed", "FAIL"), ("unverified", "FAIL"), ("interrupted", "ABORT"),
        ("detached", "ABORT"),
    ],
)  # fmt: skip
def test_a_step_ends_as_its_outcome_says(outcome: str, change: str) -> None:
    lines = ("run.started", "step.planned a", f"step.finished a {outcome}", f"run.finished - {outcome}")
    assert changes(*lines) == ["START run 1", "START a 1", f"{change} a 1", f"{change} run 1"]


def test_a_resumed_run_is_a_second_try_of_the_run_and_of_each_step_that_it_walks() -> None:
    first = ("run.started", "step.planned a", "step.finished a succeeded", "step.planned b")
    ended = (*first, "step.finished b failed", "run.finished - failed")
    again = ("run.started", "step.planned a", "step.finished a succeeded", "run.finished - succeeded")
    assert changes(*ended, *again)[6:] == ["START run 2", "START a 2", "COMPLETE a 2", "COMPLETE run 2"]


def test_a_scheduler_s_retry_has_no_start_of_the_run_and_is_a_new_try_all_the_same() -> None:
    lines = (
        "run.started",
        "step.planned a",
        "step.finished a failed",
        "run.finished - failed",
        "step.planned a",
    )
    assert changes(*lines)[4:] == ["START run 2", "START a 2"]
    assert [each.of.run_number for each in transitions(events(*lines))] == [1, 1, 1, 1, 2, 2]


def test_what_a_killed_process_left_open_is_aborted_when_the_next_begins() -> None:
    lines = ("run.started", "step.planned a", "run.started", "step.planned a")
    assert changes(*lines)[2:] == ["ABORT a 1", "ABORT run 1", "START run 2", "START a 2"]
    assert changes("run.started", "step.planned a", "step.planned a")[2:] == ["ABORT a 1", "START a 2"]


def test_two_processes_that_end_the_same_step_end_it_once() -> None:
    lines = ("run.started", "step.planned a", "step.finished a interrupted", "run.finished - interrupted")
    assert changes(*lines, "remote.stopped a", "step.finished a failed", "run.finished - failed") == changes(
        *lines
    )


def test_a_step_without_an_end_on_record_is_aborted_with_its_run() -> None:
    assert changes("run.started", "step.planned a", "run.finished - failed")[2:] == [
        "ABORT a 1",
        "FAIL run 1",
    ]


def test_the_events_of_a_transition_are_those_of_its_own_try() -> None:
    lines = (
        "run.started",
        "step.planned a",
        "remote.started a",
        "step.finished a failed",
        "run.finished - failed",
    )
    again = ("run.started", "step.planned a", "remote.adopted a", "step.finished a succeeded")
    end = list(transitions(events(*lines, *again)))[-1]
    assert [event["type"] for event in end.events] == ["step.planned", "remote.adopted", "step.finished"]
    assert end.newest("remote.started") is None
