"""Starts over the wire, by the library's own clients: sent once, adopted, and refused with a reported reason."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from etltctl.airbyte import Airbyte
from etltctl.aws import Aws
from etltctl.errors import (
    RETRY,
    AlreadyRunningError,
    ConfigurationError,
    OutcomeUnknownError,
    ServiceError,
    UnreachableError,
)
from etltctl.glue import Glue
from etltctl.logs import Logs
from etltctl.runs import State, SyncJob, Verb
from etltctl.testing import refused
from etltctl.waiting import Waiter
from support.served import Served, remember_runs, serve

OLDER_RUNS = 450
QUICK = Waiter(timeout=10.0, longest=0.05)
API = {
    "kind": "http", "base_url": "sample:", "seasons": "all", "rate": "", "streams": ["races"],
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that remembers hundreds of earlier runs of the job `often`."""
    state = tmp_path_factory.mktemp("state")
    remember_runs(state, "often", OLDER_RUNS, 30)
    with serve(state, "--keep") as served:
        yield served


@pytest.fixture(scope="module")
def project(server: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    script = tmp_path_factory.mktemp("scripts") / "often.py"
    script.write_text("pass")
    stack = {
        "buckets": ["lake-scripts", "bronze"],
        "jobs": [{"name": "often", "script": str(script), "script_location": "s3://lake-scripts/often.py"}],
        "connections": [{"name": "api", "bucket": "bronze", "path": "api", "source": API}],
    }
    status, answer = server.request("POST", "stack", stack)
    assert status == 200, answer
    return dict(answer)


@pytest.fixture
def spoil(server: Served) -> Iterator[Callable[..., None]]:
    def put_in_force(*rules: dict[str, Any]) -> None:
        status, answer = server.request("POST", "faults", list(rules))
        assert status == 200, answer

    yield put_in_force
    put_in_force()


@pytest.fixture
def glue(aws: Aws, project: dict[str, Any]) -> Glue:
    return Glue(aws, QUICK)


@pytest.fixture
def airbyte(server: Served, project: dict[str, Any]) -> Airbyte:
    signed = project["airbyte"]
    url = f"http://127.0.0.1:{server.port}/airbyte/v1"
    return Airbyte(url, signed["client_id"], signed["client_secret"], search=QUICK)


@pytest.fixture
def sync(airbyte: Airbyte, project: dict[str, Any]) -> Iterator[Callable[[], tuple[Verb, SyncJob]]]:
    yield lambda: airbyte.start_or_adopt(project["connections"]["api"], "api")[:2]
    for job in airbyte.jobs(project["connections"]["api"], "api"):
        if job.state is State.RUNNING:
            QUICK.wait(job, partial(airbyte.poll, job.id, "api"))


def answer_of(code: str) -> dict[str, Any]:
    return {"status": 400, "body": {"__type": code, "message": "as wished"}}


def conflict(kind: str) -> dict[str, Any]:
    data = {"message": "Could not fulfill request"}
    return {
        "status": 409,
        "body": {"status": 409, "type": kind, "title": kind.rpartition("#")[2], "data": data},
    }


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
    lines = Logs(glue.aws).last_lines(ended)
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
    assert "aws glue get-job-runs --job-name often" in caught.value.hint


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


def name_trouble(monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Let the next `times` look-ups of a host's name fail."""
    really, failed = socket.getaddrinfo, []

    def look_up(host: Any, *rest: Any, **options: Any) -> Any:
        if len(failed) < times and host == "localhost":
            failed.append(host)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return really(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return failed


def test_a_wait_survives_failed_name_lookups(
    server: Served, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = project["airbyte"]
    url = f"http://localhost:{server.port}/airbyte/v1"
    there = Airbyte(url, signed["client_id"], signed["client_secret"], search=QUICK)
    _, job, _ = there.start_or_adopt(project["connections"]["api"], "api")
    reconnected = Airbyte(url, signed["client_id"], signed["client_secret"], search=QUICK)
    failed = name_trouble(monkeypatch, times=2)
    ended = Waiter(timeout=120.0).wait(job, partial(reconnected.poll, job.id, "api"))
    assert (ended.status, len(failed)) == ("succeeded", 2)


def test_a_post_slower_than_its_timeout_is_not_sent_again(
    server: Served, airbyte: Airbyte, project: dict[str, Any], spoil: Callable[..., None]
) -> None:
    connection = project["connections"]["api"]
    before = {job.id for job in airbyte.jobs(connection, "api", limit=20)}
    spoil({"call": "POST /jobs", "hold": "after"})
    verb, job, _ = replace(airbyte, start_timeout=0.5).start_or_adopt(connection, "api")
    new_ids = {job.id for job in airbyte.jobs(connection, "api", limit=20)} - before
    assert (verb, new_ids) == (Verb.ADOPTED, {job.id})


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("https://reference.airbyte.com/reference/errors#state-conflict", "inactive"),
        ("error:connection/locked", "locked"),
    ],
)
def test_a_connection_that_accepts_no_sync_is_reported_with_its_status(
    sync: Callable[[], Any], spoil: Callable[..., None], kind: str, status: str
) -> None:
    change = {"status": status, "statusReason": "as wished"}
    spoil(
        {"call": "POST /jobs", "refuse": conflict(kind)},
        {"call": "GET /connections/*", "change": change},
    )
    with pytest.raises(ConfigurationError, match=f"its connection is {status}"):
        sync()


def test_a_conflict_of_an_active_connection_is_reported_unchanged(
    sync: Callable[[], Any], spoil: Callable[..., None]
) -> None:
    spoil({"call": "POST /jobs", "refuse": conflict("x#state-conflict")})
    with pytest.raises(ServiceError, match="Could not fulfill request"):
        sync()


@pytest.mark.parametrize("word", ["queued", "incomplete", "pondering"])
def test_a_sync_with_an_intermediate_status_counts_as_running(
    airbyte: Airbyte, sync: Callable[[], Any], spoil: Callable[..., None], word: str
) -> None:
    verb, job = sync()
    spoil({"call": "GET /jobs/*", "change": {"status": word}, "times": 3})
    seen: list[str] = []
    ended = Waiter(timeout=120.0, first_pause=0.02).wait(
        job, partial(airbyte.poll, job.id, "api"), on_poll=lambda run: seen.append(run.status)
    )
    assert (verb, ended.status) == (Verb.STARTED, "succeeded")
    assert seen[:3] == [word] * 3


def test_a_cancelled_sync_is_not_a_success(
    airbyte: Airbyte, sync: Callable[[], Any], spoil: Callable[..., None]
) -> None:
    _, job = sync()
    spoil({"call": "GET /jobs/*", "change": {"status": "cancelled"}, "times": 0})
    ended = Waiter(timeout=120.0, first_pause=0.02).wait(job, partial(airbyte.poll, job.id, "api"))
    assert ended.state is State.FAILED


def test_a_token_that_expires_during_a_wait_is_renewed_even_if_the_first_try_fails(
    server: Served, airbyte: Airbyte, sync: Callable[[], Any], spoil: Callable[..., None]
) -> None:
    _, job = sync()
    airbyte.poll(job.id, "api")
    refused = {"status": 401, "body": {"title": "invalid-api-key"}}
    spoil(
        {"call": "GET /jobs/*", "change": {"status": "running"}, "times": 1},
        {"call": "POST /applications/token", "refuse": {"status": 503}, "times": 1},
        {"call": "GET /jobs/*", "refuse": refused, "times": 2},
    )
    ended = Waiter(timeout=120.0, first_pause=0.02).wait(job, partial(airbyte.poll, job.id, "api"))
    assert ended.status == "succeeded"
    assert [rule["met"] for rule in server.request("GET", "faults")[1]] == [1, 1, 2]


def test_a_missing_server_leaves_no_connection_open(airbyte: Airbyte) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    unreachable = replace(airbyte, url=f"http://127.0.0.1:{port}")
    with pytest.raises(UnreachableError) as caught:
        unreachable.start("c", "api")
    assert caught.value.was_never_sent


def test_the_sdks_log_no_secret_at_any_level(
    server: Served, airbyte: Airbyte, glue: Glue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that logs everything (Airflow at DEBUG) has the clients' logs too."""
    role = server.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    credentials = server.client("sts").assume_role(RoleArn=role, RoleSessionName="logs")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", credentials["SessionToken"])
    messages: list[str] = []

    class LogCollector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    root, collector = logging.getLogger(), LogCollector()
    before = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(collector)
    try:
        client = Aws(region="us-east-1")
        client.client("secretsmanager").create_secret(Name="k", SecretString="s3cret-string")
        assert client.fetch_secret("secretsmanager:k") == "s3cret-string"
        Glue(client, QUICK).start_or_adopt("often", "secretive", lambda _: {"--word": "s3cret-argument"})
        replace(airbyte, policy=airbyte.policy).jobs("c", "api")
    finally:
        root.removeHandler(collector)
        root.setLevel(before)
    text = "\n".join(messages)
    logged = (
        credentials["SessionToken"],
        credentials["SecretAccessKey"],
        "s3cret-string",
        "s3cret-argument",
        airbyte.client_secret,
        "Bearer ",
    )
    assert [secret for secret in logged if secret in text] == []
