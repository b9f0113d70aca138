"""`etltctl.testing` as its users have it: a separate pytest project, run in a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

THEIR_TESTS = """
import time

import pytest

import etltctl
from etltctl.testing import changed, glue_run, lost, sync_job, throttled


def step(lake, name, run_id):
    return etltctl.run_step("api", name, run_id=run_id, settings=lake.settings)


def test_a_sync_really_moves_rows(embedded_lake):
    result = step(embedded_lake, "sync:api", "real")
    assert result["verb"] == "started" and result["rows"] == 97


def test_the_same_run_starts_nothing_again(embedded_lake):
    assert step(embedded_lake, "sync:api", "real")["verb"] == "reused"


def test_a_sync_whose_answer_is_lost_is_adopted(embedded_lake):
    embedded_lake.script(lost("POST /jobs"))
    assert step(embedded_lake, "sync:api", "lost")["verb"] == "adopted"
    assert embedded_lake.met() == {"POST /jobs": 1}


def test_a_sync_that_tells_untruths_is_unverified(embedded_lake):
    embedded_lake.script(changed("GET /jobs/*", {"rowsSynced": 700}))
    with pytest.raises(etltctl.UnverifiedError, match="700 rows"):
        step(embedded_lake, "sync:api", "untrue")


def test_two_hours_in_the_queue_take_no_time(embedded_lake, virtual_clock):
    states = ["STARTING"] + ["WAITING"] * 120 + ["RUNNING"] * 30
    embedded_lake.script(glue_run("bronze_to_silver_api", *states, "FAILED", reason="no space left"))
    began = time.monotonic()
    with pytest.raises(etltctl.RunFailedError, match="no space left"):
        step(embedded_lake, "glue:bronze_to_silver_api", "queued")
    assert virtual_clock.now > 1000 > (time.monotonic() - began) * 10


def test_a_sync_that_never_ends_times_out(embedded_lake, virtual_clock):
    embedded_lake.script(sync_job("pending", "running"))
    with pytest.raises(etltctl.WaitTimeoutError):
        step(embedded_lake, "sync:api", "endless")
    assert virtual_clock.now == pytest.approx(180 * 60)


def test_a_throttled_start_is_sent_again(embedded_lake, virtual_clock):
    embedded_lake.script(throttled("StartJobRun", times=2), glue_run("bronze_to_silver_api", "STOPPED"))
    with pytest.raises(etltctl.RunFailedError, match="STOPPED"):
        step(embedded_lake, "glue:bronze_to_silver_api", "throttled")
    assert embedded_lake.met()["StartJobRun"] == 3


def test_answers_of_one_test_do_not_affect_the_next(embedded_lake):
    assert embedded_lake.met() == {}
    assert embedded_lake.query("select 1 as one") == [{"one": 1}]


@pytest.mark.parametrize("state", ["SUCCEEDED", "RUNING"])
def test_a_state_that_cannot_be_scripted_is_refused(state):
    with pytest.raises(ValueError, match=state):
        glue_run("bronze_to_silver_api", state)


def test_only_tests_that_ask_are_led_to_the_lake(pytestconfig):
    import os

    assert "AWS_ENDPOINT_URL" not in os.environ
"""


def test_a_user_project_tests_its_pipelines_with_the_fixtures_of_etltctl(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(THEIR_TESTS)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ETLTCTL", "COV_", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error::pytest.PytestWarning"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "11 passed" in done.stdout, done.stdout + done.stderr
