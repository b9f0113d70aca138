"""The log of a job run that has written nothing so far."""

from __future__ import annotations

import pytest

from etltctl.pipeline import read_logs
from etltctl.testing import answered
from support.scripted import Place, job_run, polled


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("RUNNING", "has written nothing yet; it is still running\n  next: etltctl runs logs live often -f"),
        ("SUCCEEDED", "wrote nothing"),
    ],
)
def test_only_the_log_of_a_live_job_run_may_still_get_lines(place: Place, status: str, says: str) -> None:
    place.lake.script(polled(job_run(status, "live")), answered("FilterLogEvents", {"events": []}, times=0))
    ledger = place.ledger("live")
    ledger.append("run.started", pipeline="often", steps=["glue:often"])
    ledger.append("remote.started", "glue:often", service="Glue", remote_id="jr_1", state="RUNNING")
    reading = read_logs(place.events("live"), place.settings, lambda line: None)
    assert str(reading.note_if_empty()) == f"often (jr_1) {says}"
