"""The events of a run, streamed as they are recorded."""

from __future__ import annotations

import pytest

from support.event_streams import of_type, stream
from support.spoilt import SpoiltLake

pytestmark = pytest.mark.faults


def test_events_are_streamed_into_a_file_as_they_are_recorded(lake: SpoiltLake) -> None:
    lake.run("run", "small", "--run-id", "streamed", "--events", "events.ndjson")
    version, *events = stream((lake.folder / "events.ndjson").read_text())
    assert version == {"type": "version", "schema": "etltctl.events/1.0"}
    assert events == lake.events("streamed")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert all({"ts", "seq", "run_id", "step", "env", "type"} <= set(event) for event in events)


@pytest.mark.parametrize("flags", [("--events", "-"), ("-o", "ndjson")])
def test_an_event_stream_on_stdout_is_the_only_output_there(lake: SpoiltLake, flags: tuple[str, str]) -> None:
    done = lake.run("sync", "api", "--run-id", f"piped{flags[0]}", *flags)
    version, *events = stream(done.stdout)
    assert version["type"] == "version"
    assert events == lake.events(f"piped{flags[0]}")
    assert "Sync of api started" in done.stderr


def test_a_run_can_be_shown_as_its_event_stream(lake: SpoiltLake) -> None:
    version, *events = stream(lake.run("runs", "show", "undisturbed", "-o", "ndjson").stdout)
    assert version["type"] == "version"
    assert events == lake.events("undisturbed")


def test_a_stream_that_cannot_be_written_is_refused_before_the_run_and_survived_during_it(
    lake: SpoiltLake,
) -> None:
    assert "cannot write the events" in lake.run("run", "small", "--events", "/nowhere/e", code=2).stderr
    done = lake.run("run", "small", "--events", "/dev/full", "--run-id", "unheard")
    assert done.stderr.count("the events can no longer be written") == 1
    assert of_type(lake, "unheard", "run.finished")[0]["outcome"] == "succeeded"
