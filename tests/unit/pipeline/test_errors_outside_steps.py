"""An error that ends a run outside its steps is on record with the run, for `why` and the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import UsageError
from etltctl.history import find_run
from etltctl.pipeline import RunOptions
from etltctl.pipeline.run_record import recorded_run
from etltctl.settings import load_settings


def test_the_error_of_a_run_without_steps_is_on_record_with_its_cause(tmp_path: Path) -> None:
    settings = load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})
    options = RunOptions(run_id="back")
    with pytest.raises(UsageError), recorded_run("rollback", [], settings, options):
        raise UsageError("gold.a has no earlier version")
    ended = find_run(settings, "back")[-1]
    assert (ended["type"], ended["error"]) == ("run.finished", "gold.a has no earlier version")
    assert ended["cause"]
