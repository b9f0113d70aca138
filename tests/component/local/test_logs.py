"""The lines of Glue runs as CloudWatch Logs serves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.logs.service import GlueLogs

OUTPUT = "/aws-glue/jobs/output"


@pytest.fixture
def logs(tmp_path: Path) -> GlueLogs:
    (tmp_path / "jr_1").mkdir()
    (tmp_path / "jr_2").mkdir()
    (tmp_path / "jr_1" / "output.log").write_text("1000\tone\n2000\ttwo\twith a tab\n3000\tunfinished")
    (tmp_path / "jr_2" / "output.log").write_text("1500\tother\n")
    (tmp_path / "jr_3").mkdir()
    (tmp_path / "jr_3" / "error.log").write_text("1000\telsewhere\n")
    prefixes = {"jr_3": "/aws-glue/own", "jr_2": "/aws-glue/jobs", "jr_1": "/aws-glue/jobs"}
    return GlueLogs(lambda run, name: tmp_path / run / f"{name}.log", lambda: prefixes)


def messages(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_complete_lines_of_all_runs_are_returned_in_order_of_time(logs: GlueLogs) -> None:
    assert messages(logs.filter({"logGroupName": OUTPUT})) == ["one", "other", "two\twith a tab"]


def test_a_prefix_selects_the_run_and_times_select_the_lines(logs: GlueLogs) -> None:
    parameters = {"logGroupName": OUTPUT, "logStreamNamePrefix": "jr_1", "startTime": 1001}
    assert messages(logs.filter(parameters)) == ["two\twith a tab"]


def test_pages_cover_every_line_once_with_stable_ids(logs: GlueLogs) -> None:
    whole = logs.filter({"logGroupName": OUTPUT})["events"]
    first = logs.filter({"logGroupName": OUTPUT, "limit": 2})
    second = logs.filter({"logGroupName": OUTPUT, "limit": 2, "nextToken": first["nextToken"]})
    assert first["events"] + second["events"] == whole
    assert "nextToken" not in second
    assert len({event["eventId"] for event in whole}) == 3


def test_one_stream_is_read_forward_until_the_token_repeats(logs: GlueLogs) -> None:
    parameters = {"logGroupName": OUTPUT, "logStreamName": "jr_1-driver", "startFromHead": True, "limit": 1}
    first = logs.get(parameters)
    second = logs.get(parameters | {"nextToken": first["nextForwardToken"]})
    third = logs.get(parameters | {"nextToken": second["nextForwardToken"]})
    assert messages(first) + messages(second) + messages(third) == ["one", "two\twith a tab"]
    assert third["nextForwardToken"] == second["nextForwardToken"]


def test_without_a_direction_the_newest_lines_are_returned(logs: GlueLogs) -> None:
    newest = logs.get({"logGroupName": OUTPUT, "logStreamName": "jr_1-driver", "limit": 1})
    assert messages(newest) == ["two\twith a tab"]


def test_there_is_a_stream_for_each_run_that_wrote(logs: GlueLogs) -> None:
    answer = logs.streams({"logGroupName": OUTPUT, "logStreamNamePrefix": "jr_"})
    assert [stream["logStreamName"] for stream in answer["logStreams"]] == ["jr_2-driver", "jr_1-driver"]
    assert answer["logStreams"][1]["lastEventTimestamp"] == 2000
    assert logs.streams({"logGroupName": "/aws-glue/jobs/error"})["logStreams"] == []


@pytest.mark.parametrize(
    "parameters", [{"logGroupName": "/elsewhere"}, {"logGroupName": OUTPUT, "logStreamName": "jr_1"}]
)
def test_a_missing_group_is_reported_in_the_service_s_words(
    logs: GlueLogs, parameters: dict[str, str]
) -> None:
    with pytest.raises(AwsError, match="does not exist") as caught:
        logs.get({"logStreamName": "jr_1-driver"} | parameters)
    assert caught.value.code == "ResourceNotFoundException"


def test_a_run_whose_job_names_a_prefix_writes_to_groups_of_that_prefix_only(logs: GlueLogs) -> None:
    assert messages(logs.filter({"logGroupName": "/aws-glue/own/error"})) == ["elsewhere"]
    assert messages(logs.filter({"logGroupName": "/aws-glue/jobs/error"})) == []
    assert not logs.has_group({"logGroupName": "/aws-glue/other/error"})


def test_a_named_stream_must_exist(logs: GlueLogs) -> None:
    with pytest.raises(AwsError, match="stream does not exist"):
        logs.filter({"logGroupName": OUTPUT, "logStreamNames": ["jr_1-driver", "jr_1-1"]})
