"""A log that is larger than memory: read in pages, filtered as it comes, and never kept."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from etltctl.aws import Aws
from etltctl.cli.log_spool import LogSpool
from etltctl.console import Console
from etltctl.console.layouts import Output
from etltctl.logs import MOST_KNOWN, OVERLAP_MS, ErrorLines, LogLine, Logs
from etltctl.runs import JobRun

RUN = JobRun("jr_1", "job", "SUCCEEDED")
PAGE = 2_000
MB = 1_000_000
ERROR = "26/11/23 03:01:44 ERROR Executor: Exception in task 0.0\n"
TRACE = ERROR + "java.lang.OutOfMemoryError: Java heap space\n\tat org.apache.spark.Sort(Sort.scala:9)"


class Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.getvalue()


def page(number: int, last: int, group: str) -> bytes:
    """Return the page of this number, with one error of an executor in each."""
    at = 1_000_000_000_000 + number * 10
    lines = [f"26/11/23 INFO row {number} {i} {'x' * 120}" for i in range(PAGE - 1)] + [TRACE]
    events = [
        {"logStreamName": "jr_1-g-0a1b", "timestamp": at, "message": text, "eventId": f"{group}{number}-{i}"}
        for i, text in enumerate(lines)
    ]
    token = {} if number == last else {"nextToken": str(number + 1)}
    return json.dumps({"events": events, "searchedLogStreams": [], **token}).encode()


@pytest.fixture
def pages(aws: Aws) -> Iterator[dict[str, Any]]:
    """Answer the requests for log events of one group in CloudWatch's place, page by page."""
    state: dict[str, Any] = {"last": 99, "starts": []}

    def answer(request: Any, **_: Any) -> AWSResponse:
        body = json.loads(request.body)
        number = int(body.get("nextToken", "0"))
        state["starts"].append(body.get("startTime"))
        is_empty = body["logGroupName"].endswith("/output")
        content = (
            b'{"events": [], "searchedLogStreams": []}' if is_empty else page(number, state["last"], "e")
        )
        return AWSResponse(request.url, 200, {"Content-Type": "application/x-amz-json-1.1"}, Raw(content))

    events = aws.client("logs").meta.events
    events.register("before-send.cloudwatch-logs.FilterLogEvents", answer, unique_id="pages")
    yield state
    events.unregister("before-send.cloudwatch-logs.FilterLogEvents", unique_id="pages")


def test_the_errors_of_a_long_log_are_found_in_little_memory(aws: Aws, pages: dict[str, Any]) -> None:
    errors, count, size = ErrorLines(), 0, 0
    tracemalloc.start()
    for line in Logs(aws).new_lines(RUN):
        size += len(line.text)
        count += errors.has(line)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100
    assert size > 25 * MB
    assert peak < 25 * MB, f"{peak / MB:.0f} MB for a log of {size / MB:.0f} MB"


def test_a_followed_log_reads_no_line_again_that_it_has_forgotten(aws: Aws, pages: dict[str, Any]) -> None:
    logs = Logs(aws)
    pages["last"] = MOST_KNOWN // PAGE
    newest = 1_000_000_000_000 + pages["last"] * 10
    assert sum(1 for _ in logs.new_lines(RUN)) == MOST_KNOWN + PAGE
    pages["starts"].clear()
    list(logs.new_lines(RUN))
    assert pages["starts"][0] == 1_000_000_000_001, "the first page is forgotten"
    assert newest - OVERLAP_MS < 1_000_000_000_001


def test_a_document_of_a_log_comes_from_a_file() -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    out = io.StringIO()
    with LogSpool.opened() as spool:
        spool.add(LogLine(at, "error", "jr_1", "a\nb\ud800"))
        Console(Output.JSON, stdout=out).rows(
            "etltctl.runs-logs/1", ("ts", "group", "stream", "text"), spool.rows()
        )
    (row,) = json.loads(out.getvalue())["rows"]
    assert row == {
        "ts": "2026-01-31T12:00:00.000+00:00",
        "group": "error",
        "stream": "jr_1",
        "text": "a\nb\ud800",
    }


@pytest.mark.parametrize(
    ("stream", "writer"), [("jr_1-driver", "system"), ("jr_1", "system"), ("jr_1-g-0a1b", "executor")]
)
def test_a_line_names_its_writer(stream: str, writer: str) -> None:
    out = io.StringIO()
    Console(stdout=out).log_line(LogLine(datetime.now(UTC), "error", stream, "text"))
    assert out.getvalue().split()[1:] == [writer, "text"]
