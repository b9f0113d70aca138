"""The report of a failed run, and what it says of a run that a caller stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import Command
from etltctl.pipeline import describe_failure
from etltctl.runs import JobRun, Run, State, SyncJob
from etltctl.settings import load_settings


def test_the_front_door_spells_the_commands_of_a_report(tmp_path: Path) -> None:
    settings = load_settings(directory=tmp_path, env="local", environ={})

    def spell(command: Command) -> str:
        return f"{command} --env local"

    lines = describe_failure("gone", "r-1", settings, spell).splitlines()
    assert lines[-3:] == [
        "  events: etltctl runs show r-1 --env local",
        "  logs: etltctl runs logs r-1 --env local",
        "  resume it: clear the task, or etltctl retry r-1 --env local",
    ]
    assert "--" not in describe_failure("gone", "r-1", settings)


@pytest.mark.parametrize(
    ("run", "was_stopped", "log"),
    [
        (SyncJob("1", "api", "cancelled"), True, "Airbyte's log"),
        (SyncJob("1", "api", "failed"), False, "Airbyte's log"),
        (JobRun("jr_1", "often", "STOPPED"), True, "CloudTrail"),
        (JobRun("jr_1", "often", "STOPPING"), False, "CloudTrail"),
    ],
)
def test_a_kind_of_run_knows_in_which_state_a_caller_leaves_it(run: Run, was_stopped: bool, log: str) -> None:
    assert (run.was_stopped, run.stop_log) == (was_stopped, log)
    assert {run.states[status] for status in run.stopped} == {State.FAILED}
