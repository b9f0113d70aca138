"""Starts of Glue job runs over the wire: sent once, adopted, and refused with a reported reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.errors import (
    RETRY,
    AlreadyRunningError,
    OutcomeUnknownError,
)
from etltctl.glue import Glue
from etltctl.logs import Logs
from etltctl.runs import Verb
from etltctl.testing import refused
from etltctl.waiting import Waiter
from support.served import Served
from support.starts import OLDER_RUNS, QUICK, name_trouble


def answer_of(code: str) -> dict[str, Any]:
    return {"status": 400, "body": {"__type": code, "message": "as wished"}}


@pytest.mark.parametrize("number", [0, 200, OLDER_RUNS - 1])
def test_a_run_is_found_even_after_many_later_runs(glue: Glue, number: int) -> None:
    verb, run = glue.start_or_adopt("often", f"key-{number}", lambda _: {})
    assert (verb, run.id) == (Verb.REUSED, f"jr_{number:04}")


def test_the_search_goes_no_further_back_than_the_run(
    server: Served, glue: Glue, spoil: Callable[..., None]
) -> None:
    newest = next(glue.job_runs("often"))
    spoil({"call": "GetJobRuns", "delay": 0.0, "times": 0})
    assert glue.find_all("often", "key-0", since=newest.started) == []
    (fault,) = server.request("GET", "faults")[1]
    assert fault["met"] == 1, "one page was enough"


def test_a_slot_with_an_unlisted_holder_exits_7_and_names_the_next_step(
    aws: Aws, project: dict[str, Any], spoil: Callable[..., None]
) -> None:
    spoil(*refused("StartJobRun", "ConcurrentRunsExceededException", "too many", times=0))
    with pytest.raises(AlreadyRunningError, match="the run that holds the slot is not listed") as raised:
        Glue(aws, Waiter(timeout=0.2, longest=0.05)).start_or_adopt("often", "no-slot", lambda _: {})
    assert raised.value.exit_code == 7
    assert raised.value.hint.endswith(str(RETRY))


def test_a_failure_is_reported_with_its_meaningful_lines(glue: Glue) -> None:
    script = (
        "import sys\n"
        "print('ERROR this is why', file=sys.stderr)\n"
        "for n in range(60): print(f'26/01/02 03:04:05 INFO Talk: {n}', file=sys.stderr)\n"
        "raise ValueError('no such luck')\n"
    )
    glue.aws.client("s3").put_object(Bucket="lake-scripts", Key="noisy.py", Body=script.encode())
    command = {"Name": "glueetl", "ScriptLocation": "s3://lake-scripts/noisy.py"}
    glue.aws.client("glue").create_job(Name="noisy", Role="r", Command=command)
    _, run = glue.start_or_adopt("noisy", "key", lambda _: {})
    ended = Waiter(timeout=60.0).wait(run, partial(glue.poll, "noisy", run.id))
    lines = Logs(glue.aws).tail(ended).telling()
    assert lines[0] == "ERROR this is why"
    assert lines[-1] == "ValueError: no such luck"
    assert not [line for line in lines if "INFO" in line]


@pytest.mark.parametrize("code", ["InternalServiceException", "OperationTimeoutException"])
def test_a_start_with_an_unknown_outcome_is_sent_once_and_says_how_to_check(
    server: Served, glue: Glue, spoil: Callable[..., None], code: str
) -> None:
    spoil({"call": "StartJobRun", "refuse": answer_of(code), "times": 0})
    quick = replace(glue, search=Waiter(timeout=0.2, longest=0.05))
    with pytest.raises(OutcomeUnknownError) as caught:
        quick.start_or_adopt("often", f"never-{code}", lambda _: {})
    assert server.request("GET", "faults")[1][0]["met"] == 1
    assert "lists none with the run key" in caught.value.message
    assert caught.value.hint.startswith("etltctl retry RUN  # searches again before it starts")
    assert caught.value.hint.endswith("aws glue get-job-runs --job-name often")


def test_a_start_without_a_resolved_name_or_a_route_is_sent_again(
    server: Served, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**server.environ, "AWS_ENDPOINT_URL": f"http://localhost:{server.port}"}.items():
        monkeypatch.setenv(name, value)
    glue = Glue(Aws(region="us-east-1"), QUICK)
    assert glue.find_all("often", "nameless") == []
    failed = name_trouble(monkeypatch, times=3)
    verb, run = glue.start_or_adopt("often", "nameless", lambda _: {})
    assert (verb, len(failed)) == (Verb.STARTED, 3)
    assert [job_run.id for job_run in glue.find_all("often", "nameless")] == [run.id]
