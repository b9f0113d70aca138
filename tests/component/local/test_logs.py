"""The lines of Glue runs as CloudWatch Logs serves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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

    def of_callers(target: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer with two groups that callers made, one a page."""
        assert target == "Logs_20140328.DescribeLogGroups"
        name, more = ("/z", {"nextToken": None}) if body.get("nextToken") else ("/app", {"nextToken": "t"})
        return {"logGroups": [{"logGroupName": name}], **more}

    return GlueLogs(lambda run, name: tmp_path / run / f"{name}.log", lambda: prefixes, of_callers)


def messages(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_complete_lines_of_all_runs_are_returned_in_order_of_time(logs: GlueLogs) -> None:
    assert messages(logs.filter({"logGroupName": OUTPUT})) == ["one", "other", "two\twith a tab"]


def test_an_empty_line_is_no_event(logs: GlueLogs, tmp_path: Path) -> None:
    (tmp_path / "jr_2" / "output.log").write_text("1400\t\n1500\tother\n1600\t\n")
    assert messages(logs.filter({"logGroupName": OUTPUT, "logStreamNamePrefix": "jr_2"})) == ["other"]
    assert messages(logs.get({"logGroupName": OUTPUT, "logStreamName": "jr_2-driver"})) == ["other"]


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


ARN = f"arn:aws:logs:us-east-1:123456789012:log-group:{OUTPUT}"


def group_names(answer: dict[str, Any]) -> list[str]:
    return [group["logGroupName"] for group in answer["logGroups"]]


def test_the_groups_of_glue_runs_are_listed_with_those_of_callers(logs: GlueLogs) -> None:
    assert group_names(logs.groups({})) == ["/app", OUTPUT, "/aws-glue/own/error", "/z"]
    assert group_names(logs.groups({"logGroupNamePrefix": "/aws-glue/jobs"})) == [OUTPUT]
    assert group_names(logs.groups({"logGroupNamePattern": "GLUE/OWN"})) == ["/aws-glue/own/error"]
    (group,) = logs.groups({"logGroupIdentifiers": [ARN]})["logGroups"]
    assert (group["logGroupArn"], group["storedBytes"]) == (ARN, 55)


def test_the_list_of_groups_has_pages(logs: GlueLogs) -> None:
    first = logs.groups({"limit": 3})
    second = logs.groups({"limit": 3, "nextToken": first["nextToken"]})
    assert len(group_names(first)) == 3
    assert group_names(second) == ["/z"]
    assert "nextToken" not in second


@pytest.mark.parametrize("name", [OUTPUT, ARN, f"{ARN}:*"])
def test_a_group_is_named_by_its_name_or_its_arn(logs: GlueLogs, name: str) -> None:
    assert messages(logs.filter({"logGroupIdentifier": name}))[0] == "one"


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("o", ["one", "other", "two\twith a tab"]),
        ("o -two", ["one", "other"]),
        ("?one ?other", ["one", "other"]),
        ('"with a" tab', ["two\twith a tab"]),
        ("One", []),
    ],
)
def test_a_filter_pattern_of_terms_selects_lines(logs: GlueLogs, pattern: str, lines: list[str]) -> None:
    assert messages(logs.filter({"logGroupName": OUTPUT, "filterPattern": pattern})) == lines


@pytest.mark.parametrize("pattern", ["{ $.level = 3 }", "[a, b]", "%o.e%"])
def test_a_filter_pattern_that_is_not_modelled_is_refused(logs: GlueLogs, pattern: str) -> None:
    with pytest.raises(AwsError, match="does not model the filter pattern"):
        logs.filter({"logGroupName": OUTPUT, "filterPattern": pattern})


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("StartQuery", {"logGroupNames": [OUTPUT]}),
        ("StartQuery", {"logGroupIdentifiers": ["/app", ARN]}),
        ("PutRetentionPolicy", {"logGroupName": OUTPUT, "retentionInDays": 7}),
        ("DeleteLogGroup", {"logGroupName": OUTPUT}),
        ("TagResource", {"resourceArn": ARN, "tags": {}}),
    ],
)
def test_what_the_groups_of_glue_runs_lack_is_refused_by_name(
    logs: GlueLogs, operation: str, body: dict[str, Any]
) -> None:
    with pytest.raises(AwsError, match=f"does not model logs {operation} ") as caught:
        logs.find_operation(f"Logs_20140328.{operation}", body)
    assert caught.value.status == 501
    assert logs.find_operation(f"Logs_20140328.{operation}", {"logGroupName": "/app"}) is None


def test_the_groups_of_glue_runs_have_no_tags_and_no_filters(logs: GlueLogs) -> None:
    find = logs.find_operation
    for name, member in (
        ("ListTagsForResource", "tags"),
        ("DescribeSubscriptionFilters", "subscriptionFilters"),
    ):
        operation = find(f"Logs_20140328.{name}", {"logGroupName": OUTPUT})
        assert operation is not None
        assert not operation({})[member]


def test_a_group_that_a_stack_created_keeps_its_retention_and_can_be_changed(tmp_path: Path) -> None:
    """A stack creates the groups of its jobs before the first run writes to them, and deletes them with it."""
    (tmp_path / "output.log").write_text("1000\tone\n")
    created = {"logGroups": [{"logGroupName": "/aws-glue/own/output", "retentionInDays": 30}]}
    logs = GlueLogs(
        lambda _, kind: tmp_path / f"{kind}.log", lambda: {"jr_1": "/aws-glue/own"}, lambda *_: created
    )
    (group,) = logs.groups({})["logGroups"]
    assert (group["retentionInDays"], group["storedBytes"]) == (30, 9)
    for call in ("DeleteLogGroup", "PutRetentionPolicy", "CreateLogGroup"):
        body = {"logGroupName": "/aws-glue/own/output"}
        assert logs.find_operation(f"Logs_20140328.{call}", body) is None, "CloudWatch Logs itself answers"
