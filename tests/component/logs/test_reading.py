"""The logs of Glue job runs as etltctl reads them, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.errors import AccessError
from etltctl.glue import Glue
from etltctl.logs import GROUP_PREFIX, MOST_EMPTY_PAGES, Logs
from etltctl.runs import JobRun
from etltctl.testing import refused
from etltctl.waiting import Waiter
from support.served import Served, serve

OWN = "/aws-glue/lake1"
SCRIPT = """
import sys
print("all is well")
print("not so well", file=sys.stderr)
raise ValueError("no such luck")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        script = tmp_path_factory.mktemp("scripts") / "failing.py"
        script.write_text(SCRIPT)
        job = {"script": str(script), "script_location": "s3://lake-scripts/failing.py"}
        jobs = [{**job, "name": "own", "log_group_prefix": OWN}, {**job, "name": "shared"}]
        assert served.request("POST", "stack", {"buckets": ["lake-scripts"], "jobs": jobs})[0] == 200
        yield served


@pytest.fixture
def spoil(server: Served) -> Iterator[Callable[..., None]]:
    def put_in_force(*rules: dict[str, Any]) -> None:
        assert server.request("POST", "faults", list(rules))[0] == 200

    yield put_in_force
    put_in_force()


@pytest.fixture
def sent(aws: Aws) -> list[dict[str, Any]]:
    """The parameters of every request for log events, in their order."""
    requests: list[dict[str, Any]] = []
    events = aws.client("logs").meta.events
    events.register(
        "provide-client-params.cloudwatch-logs.FilterLogEvents", lambda params, **_: requests.append(params)
    )
    return requests


def failed(aws: Aws, job: str) -> JobRun:
    """Start a run of the job and return it after its end."""
    glue = Glue(aws)
    _, run = glue.start_or_adopt(job, f"key of {job}", lambda _: {})
    return Waiter(timeout=60.0, longest=0.1).wait(run, partial(glue.poll, job, run.id))


def page(*messages: str) -> dict[str, Any]:
    """Return a page of log events that is not the last."""
    event = {"logStreamName": "s", "timestamp": 1, "ingestionTime": 1}
    events = [{**event, "message": text, "eventId": text} for text in messages]
    return {"status": 200, "body": {"events": events, "searchedLogStreams": [], "nextToken": "0"}}


def test_only_the_time_and_the_streams_of_the_run_are_searched(aws: Aws, server: Served, sent: Any) -> None:
    run = failed(aws, "own")
    assert run.started is not None
    assert run.ended is not None
    assert list(Logs(aws, OWN).new_lines(run))
    for request in sent:
        assert request["logStreamNamePrefix"] == run.id
        assert request["startTime"] == int((run.started - timedelta(minutes=1)).timestamp() * 1000)
        assert request["endTime"] > run.ended.timestamp() * 1000


def test_lines_are_read_page_by_page(aws: Aws, server: Served, sent: Any, spoil: Callable[..., None]) -> None:
    run = failed(aws, "own")
    spoil({"call": "FilterLogEvents", "refuse": page("first", "second")})
    lines = Logs(aws, OWN).new_lines(run)
    assert [line.text for line in islice(lines, 2)] == ["first", "second"]
    assert not [
        request for request in sent if "nextToken" in request
    ]  # the second page has not been requested yet
    assert "all is well" in {line.text for line in lines}


def test_an_empty_page_is_not_the_end(aws: Aws, server: Served, spoil: Callable[..., None]) -> None:
    run = failed(aws, "own")
    spoil({"call": "FilterLogEvents", "refuse": page(), "times": 7})
    assert "all is well" in {line.text for line in Logs(aws, OWN).new_lines(run)}


def test_endless_empty_pages_are_abandoned(aws: Aws, server: Served, spoil: Callable[..., None]) -> None:
    run = failed(aws, "own")
    spoil({"call": "FilterLogEvents", "refuse": page(), "times": 0})
    logs = Logs(aws, OWN)
    assert not list(logs.new_lines(run))
    assert server.request("GET", "faults")[1][0]["met"] == 2 * MOST_EMPTY_PAGES  # of each group
    assert f"{OWN}/output" in logs.unread


def test_an_endlessly_repeated_page_is_abandoned(
    aws: Aws, server: Served, spoil: Callable[..., None]
) -> None:
    """Its event has no id and a time beyond the calendar, which CloudWatch's model allows."""
    run = failed(aws, "own")
    event = {"logStreamName": f"{run.id}-driver", "message": "again", "timestamp": 99_999_999_999_999_999}
    body = {"events": [event], "nextToken": "0"}
    spoil({"call": "FilterLogEvents", "refuse": {"status": 200, "body": body}, "times": 0})
    logs = Logs(aws, OWN)
    assert [line.text for line in logs.new_lines(run)] == ["again"]
    assert f"{OWN}/output" in logs.unread


def test_each_line_is_read_once(aws: Aws, server: Served) -> None:
    run, logs = failed(aws, "own"), Logs(aws, OWN)
    texts = [line.text for line in logs.new_lines(run)]
    assert texts.count("all is well") == 1
    assert not list(logs.new_lines(run))


def test_the_errors_of_executors_are_part_of_the_end_of_the_logs(
    aws: Aws, server: Served, spoil: Callable[..., None]
) -> None:
    run = failed(aws, "own")
    texts = {
        f"{run.id}-4": "java.lang.OutOfMemoryError: Java heap space",
        f"{run.id}-driver": "of the driver",
    }
    events = [
        {"logStreamName": stream, "timestamp": 1_800_000_000_000, "message": text, "eventId": stream}
        for stream, text in texts.items()
    ]
    body = {"events": events, "searchedLogStreams": []}
    spoil({"call": "FilterLogEvents", "refuse": {"status": 200, "body": body}, "times": 0})
    tail = Logs(aws, OWN).tail(run)
    assert [line.stream for line in tail.lines if "OutOfMemory" in line.text] == [f"{run.id}-4"]
    assert "of the driver" not in [line.text for line in tail.lines]
    assert tail.telling()[-1] == "ValueError: no such luck"


@pytest.mark.parametrize("job", ["own", "shared"])
def test_a_failure_is_summarized_from_the_output_of_the_script(aws: Aws, server: Served, job: str) -> None:
    """This includes a job that was deployed before the project had separate log groups."""
    run = failed(aws, job)
    assert run.arguments.get(GROUP_PREFIX, "") == (OWN if job == "own" else "")
    written = Logs(aws, OWN).tail(run).telling()
    assert written[-1] == "ValueError: no such luck"
    assert "Traceback (most recent call last):" in written
    streams = {(line.group, line.stream) for line in Logs(aws, OWN).new_lines(run)}
    assert streams == {("output", f"{run.id}-driver")}


def test_log_groups_of_others_may_be_unreadable_but_not_those_of_the_project(
    aws: Aws, server: Served, spoil: Callable[..., None]
) -> None:
    run = failed(aws, "shared")
    (denied,) = refused("FilterLogEvents", "AccessDeniedException", "not for you", times=0)
    spoil({**denied, "skip": 2})
    assert not list(Logs(aws, OWN).new_lines(run))
    spoil(denied)
    with pytest.raises(AccessError):
        list(Logs(aws, OWN).new_lines(run))
