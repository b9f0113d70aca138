"""Which ends of a run are worth a message, by its events alone."""

from __future__ import annotations

from typing import Any

import pytest

from etltctl.history import summary_of
from etltctl.ledger import Event
from etltctl.observers.notifications.run_end import end_of_run, names_of_end
from etltctl.settings import Settings, load_settings

STEP = "glue:silver_to_gold"


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(env="local", environ={})


def events(*written: tuple[str, str, dict[str, Any]], env: str = "aws") -> list[Event]:
    """Return events of one run: the type, the step and the facts of each."""
    return [
        {"ts": f"2026-01-31T12:00:{seq:02}.000+00:00", "seq": seq, "run_id": "r", "env": env}
        | {"type": type_, "step": step, **facts}
        for seq, (type_, step, facts) in enumerate(written, start=1)
    ]


STARTED = ("run.started", "", {"pipeline": "mongodb", "steps": [STEP]})
REMOTE = ("remote.started", STEP, {"remote_id": "jr_1"})


def ended(outcome: str, **facts: Any) -> tuple[str, str, dict[str, Any]]:
    return ("run.finished", "", {"outcome": outcome, "seconds": 1.0, **facts})


def failed(cause: str = "G117", step: str = STEP) -> tuple[str, str, dict[str, Any]]:
    facts = {"outcome": "failed", "error": "x", "cause": cause, "explanation": "memory"}
    return ("step.finished", step, {**facts, "evidence": [{"source": "driver", "text": "java"}]})


SEQUENCES = [
    ([STARTED], None),
    ([STARTED, ended("succeeded")], "succeeded"),
    ([STARTED, failed(), ended("failed")], "failed"),
    ([STARTED, ended("unverified")], "unverified"),
    ([STARTED, ended("interrupted")], "interrupted"),
    ([STARTED, ended("detached")], "detached"),
    ([STARTED, ended("interrupted"), ended("succeeded")], "succeeded"),
    ([STARTED, ended("unverified"), ended("interrupted"), ended("succeeded")], "recovered"),
    ([STARTED, failed(), ended("failed"), STARTED, ended("succeeded")], "recovered"),
    # The tries of a scheduler's task.
    ([STARTED, failed(), ended("failed"), failed(), ended("failed")], None),
    ([STARTED, failed(), ended("failed"), failed("G118"), ended("failed")], "failed"),
    ([STARTED, failed(), ended("failed"), failed(step="sync:a"), ended("failed")], "failed"),
    ([STARTED, failed(), ended("failed"), ended("interrupted")], "interrupted"),
    # A person who starts the run again.
    ([STARTED, failed(), ended("failed"), STARTED, failed(), ended("failed")], "failed"),
    # The run again, without work and with it.
    ([STARTED, ended("succeeded"), STARTED, ended("succeeded")], None),
    ([STARTED, ended("succeeded"), STARTED, REMOTE, ended("succeeded")], "succeeded"),
    ([STARTED, failed(), ended("failed"), ended("succeeded"), REMOTE, ended("succeeded")], "succeeded"),
]


@pytest.mark.parametrize(("written", "outcome"), SEQUENCES)
def test_an_end_is_sent_if_it_says_something_new(
    settings: Settings, written: list[tuple[str, str, dict[str, Any]]], outcome: str | None
) -> None:
    end = end_of_run(events(*written), settings)
    assert (end.outcome if end else None) == outcome


def test_the_names_of_the_settings_cover_every_outcome(settings: Settings) -> None:
    names = {}
    for outcome in ("succeeded", "failed", "unverified", "interrupted", "detached"):
        end = end_of_run(events(STARTED, ended(outcome)), settings)
        assert end is not None
        names[outcome] = names_of_end(end)
    assert names["unverified"] == names["failed"] == {"failed"}
    assert (names["succeeded"], names["interrupted"]) == ({"succeeded"}, {"interrupted"})
    recovered = end_of_run(events(STARTED, ended("failed"), ended("succeeded")), settings)
    assert recovered is not None
    assert names_of_end(recovered) == {"succeeded", "recovered"}


def test_the_cost_is_that_of_the_run_and_none_where_nothing_is_billed(settings: Settings) -> None:
    written = (
        STARTED,
        ("cost.actual", STEP, {"usd": 0.5}),
        ("cost.actual", STEP, {"usd": 0.25}),
        ended("succeeded"),
    )
    on_aws = end_of_run(events(*written), settings)
    here = end_of_run(events(*written, env="local"), settings)
    assert on_aws is not None
    assert here is not None
    assert (on_aws.usd, here.usd) == (0.75, None)


def test_the_time_of_a_run_with_two_tries_is_the_one_that_the_commands_show(settings: Settings) -> None:
    of_run = events(STARTED, failed(), ended("failed", seconds=3.0), STARTED, ended("succeeded", seconds=1.0))
    end = end_of_run(of_run, settings)
    assert end is not None
    assert end.seconds == summary_of(of_run).seconds == 4.0


def test_the_next_command_leads_to_the_environment_of_the_run(settings: Settings) -> None:
    end = end_of_run(events(STARTED, failed(), ended("failed")), settings)
    assert end is not None
    assert end.failure is not None
    assert end.failure.proof == "driver: java"
    assert end.failure.next.endswith("etltctl --env aws retry r")


def test_a_record_without_a_cause_has_its_error(settings: Settings) -> None:
    old = ("step.finished", STEP, {"outcome": "failed", "error": "Glue run jr_1 ended FAILED"})
    end = end_of_run(events(STARTED, old, ended("failed"), env="local"), settings)
    assert end is not None
    assert end.failure is not None
    assert (end.failure.code, end.failure.cause) == ("", "Glue run jr_1 ended FAILED")
    assert end.failure.next == "etltctl retry r"
