"""`etltctl retry` of a run that has succeeded starts nothing, not even the embedded server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from etltctl.ledger import DiskStore, Ledger
from support import forked
from support.recorded_runs import started_run
from support.workplace import ETLTCTL

RUN, SYNC, JOB = "20260101-0000-api-k7qf", "sync:api", "glue:bronze_to_silver_api"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A run whose sync has succeeded."""
    ledger = started_run(DiskStore(tmp_path / ".etltctl" / "runs"), RUN, pipeline="api", steps=[SYNC, JOB])
    ledger.append("step.finished", SYNC, outcome="succeeded", remote_id="1", verb="started", seconds=1.0)
    return ledger


def retry(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return forked.run([ETLTCTL, "retry", *options], cwd=folder, env=dict(os.environ), timeout=60)


@pytest.mark.parametrize("options", [(RUN,), ("k7qf", "--worker-type", "G.2X")])
def test_a_run_that_has_succeeded_is_left_as_it_is(
    tmp_path: Path, ledger: Ledger, options: tuple[str, ...]
) -> None:
    ledger.append("step.finished", JOB, outcome="succeeded", remote_id="jr_1", verb="started", seconds=1.0)
    ledger.append("run.finished", outcome="succeeded", seconds=2.0)
    record = DiskStore(tmp_path / ".etltctl" / "runs").read(RUN)
    done = retry(tmp_path, *options)
    assert done.returncode == 0
    assert f"Run {RUN} had succeeded before: nothing to do." in done.stdout
    assert f"to start every step again: etltctl retry {RUN} --fresh" in done.stderr
    assert DiskStore(tmp_path / ".etltctl" / "runs").read(RUN) == record
    assert [each.name for each in (tmp_path / ".etltctl").iterdir()] == ["runs"], "no server was started"


def test_a_later_try_of_one_step_does_not_hide_a_step_that_failed(ledger: Ledger) -> None:
    from etltctl.history import find_run
    from etltctl.pipeline import RunOptions, already_done
    from etltctl.settings import load_settings

    ledger.append("step.finished", JOB, outcome="failed", error="x")
    ledger.append("run.finished", outcome="failed", seconds=2.0)
    ledger.append("run.started", pipeline="api", steps=[SYNC])
    ledger.append("run.finished", outcome="succeeded", seconds=1.0)
    assert isinstance(ledger.store, DiskStore)
    state = str(ledger.store.folder.parent)
    settings = load_settings(env="local", environ={"ETLTCTL_STATE_DIR": state})
    assert already_done(find_run(settings, RUN), RunOptions()) is None


@pytest.mark.parametrize("fresh", [False, True])
def test_a_run_whose_steps_have_succeeded_is_done_unless_it_starts_fresh(ledger: Ledger, fresh: bool) -> None:
    from etltctl.ledger import read_events
    from etltctl.pipeline import RunOptions, already_done

    ledger.append("step.finished", JOB, outcome="succeeded", remote_id="jr_1", verb="started", seconds=1.0)
    ledger.append("run.finished", outcome="succeeded", seconds=2.0)
    done = already_done(read_events(ledger.store, RUN), RunOptions(fresh=fresh))
    assert (done is None) is fresh
    assert fresh or (done is not None and done.is_reused)
