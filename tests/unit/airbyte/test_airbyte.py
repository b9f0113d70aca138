"""The Airbyte client: tokens, one POST for each start, adoption, and problem bodies in five shapes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import httpx
import pytest
import respx

from etltctl.airbyte import Airbyte, wrote
from etltctl.airbyte.auth import TokenAuth
from etltctl.airbyte.client import duration_seconds
from etltctl.airbyte.transport import public_api_url
from etltctl.errors import (
    AccessError,
    ConfigurationError,
    OutcomeUnknownError,
    ServiceError,
    UnreachableError,
)
from etltctl.retrying import RetryPolicy
from etltctl.runs import STATE_UNUSABLE, SyncJob, Verb
from etltctl.waiting import Waiter

URL = "https://airbyte.test/v1"
CONNECTION = "11111111-1111-1111-1111-111111111111"
TRY_AGAIN = {
    "status": 409,
    "type": "https://reference.airbyte.com/reference/errors#try-again-later",
    "title": "try-again-later",
    "detail": "Please try again later.",
    "data": {"message": f"A sync is already running for: {CONNECTION}"},
}


def job(number: int, status: str) -> dict[str, object]:
    return {"jobId": number, "status": status, "jobType": "sync", "connectionId": CONNECTION}


@pytest.fixture
def airbyte() -> Airbyte:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    search = Waiter(timeout=60.0, longest=2.0, clock=lambda: now[0], sleep=sleep)
    return Airbyte(URL, "id", "secret", RetryPolicy(attempts=3, sleep=[].append), search)


@pytest.fixture
def server():
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/applications/token").respond(json={"access_token": "t", "expires_in": 900})
        yield router


def test_a_start_is_posted_once_with_a_bearer_token(airbyte: Airbyte, server: respx.Router) -> None:
    server.get("/jobs").respond(json={"data": []})
    start = server.post("/jobs").respond(json=job(7, "pending"))
    verb, run, is_ours = airbyte.start_or_adopt(CONNECTION, "mongodb")
    assert (verb, run.id, run.status, is_ours) == (Verb.STARTED, "7", "pending", True)
    assert start.call_count == 1
    assert start.calls[0].request.headers["Authorization"] == "Bearer t"
    assert json.loads(start.calls[0].request.content) == {"connectionId": CONNECTION, "jobType": "sync"}


def test_a_lost_answer_is_not_resent_but_the_new_job_adopted(airbyte: Airbyte, server: respx.Router) -> None:
    listing = server.get("/jobs")
    listing.side_effect = [
        httpx.Response(200, json={"data": [job(6, "succeeded")]}),
        httpx.Response(200, json={"data": [job(7, "running"), job(6, "succeeded")]}),
    ]
    start = server.post("/jobs").mock(side_effect=httpx.ReadTimeout("slow"))
    verb, run, is_ours = airbyte.start_or_adopt(CONNECTION, "mongodb")
    assert (verb, run.id, is_ours) == (Verb.ADOPTED, "7", True)
    assert start.call_count == 1


def test_a_lost_answer_without_a_new_job_has_its_own_error(airbyte: Airbyte, server: respx.Router) -> None:
    server.get("/jobs").respond(json={"data": [job(6, "succeeded")]})
    server.post("/jobs").mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknownError, match="lists no new job"):
        airbyte.start_or_adopt(CONNECTION, "mongodb")


def test_a_sync_that_already_runs_is_adopted(airbyte: Airbyte, server: respx.Router) -> None:
    server.get("/jobs").respond(json={"data": [job(5, "running")]})
    server.post("/jobs").respond(409, json=TRY_AGAIN)
    verb, run, is_ours = airbyte.start_or_adopt(CONNECTION, "mongodb")
    assert (verb, run.id, is_ours) == (Verb.ADOPTED, "5", False)


def test_a_sync_that_blocks_a_second_try_belongs_to_another_caller(
    airbyte: Airbyte, server: respx.Router
) -> None:
    server.get("/jobs/10").respond(json=job(10, "failed"))
    server.get("/jobs").respond(json={"data": [job(11, "running"), job(10, "failed")]})
    server.post("/jobs").respond(409, json=TRY_AGAIN)
    verb, run, is_ours = airbyte.start_or_adopt(CONNECTION, "mongodb", known_job="10")
    assert (verb, run.id, is_ours) == (Verb.ADOPTED, "11", False)


@pytest.mark.parametrize(
    ("failure", "reason", "code"),
    [
        (
            {"message": "the state is old", "kind": "config_error", "code": "state-unusable"},
            "the state is old",
            STATE_UNUSABLE,
        ),
        ({"message": "`sync --full` is a text", "kind": "config_error"}, "`sync --full` is a text", ""),
        (None, "", ""),
        ("text", "", ""),
    ],
)
def test_the_failure_that_the_embedded_server_reports_is_carried(
    airbyte: Airbyte, server: respx.Router, failure: object, reason: str, code: str
) -> None:
    server.get("/jobs/10").respond(json={**job(10, "failed"), "etltctl_failure": failure})
    polled = airbyte.poll("10", "mongodb")
    assert (polled.reason, polled.failure_code) == (reason, code)


def test_another_conflict_does_not_count_as_a_running_sync(airbyte: Airbyte, server: respx.Router) -> None:
    server.get("/jobs").respond(json={"data": [job(5, "running")]})
    problem = {"status": 409, "title": "state-conflict", "data": {"message": "Could not fulfill request"}}
    server.post("/jobs").respond(409, json=problem)
    server.get(f"/connections/{CONNECTION}").respond(json={"status": "active"})
    with pytest.raises(ServiceError, match="Could not fulfill request"):
        airbyte.start_or_adopt(CONNECTION, "mongodb")


@pytest.mark.parametrize(
    ("status", "verb"), [("running", Verb.ADOPTED), ("succeeded", Verb.REUSED), ("failed", Verb.STARTED)]
)
def test_the_recorded_job_of_an_earlier_try_is_adopted(
    airbyte: Airbyte, server: respx.Router, status: str, verb: Verb
) -> None:
    server.get("/jobs/4").respond(json=job(4, status))
    server.get("/jobs").respond(json={"data": [job(4, status)]})
    server.post("/jobs").respond(json=job(5, "pending"))
    assert airbyte.start_or_adopt(CONNECTION, "mongodb", known_job="4")[0] is verb


@pytest.mark.parametrize(
    ("status", "verb"), [("running", Verb.ADOPTED), ("succeeded", Verb.REUSED), ("failed", Verb.STARTED)]
)
def test_a_job_that_an_earlier_try_started_but_did_not_record_is_adopted(
    airbyte: Airbyte, server: respx.Router, status: str, verb: Verb
) -> None:
    server.get("/jobs").respond(json={"data": [job(5, status), job(4, "succeeded")]})
    server.post("/jobs").respond(json=job(6, "pending"))
    assert airbyte.start_or_adopt(CONNECTION, "mongodb", newest_before=4)[::2] == (verb, True)
    assert airbyte.start_or_adopt(CONNECTION, "mongodb", newest_before=5)[0] is Verb.STARTED


def test_a_conflict_whose_job_has_just_ended_is_started_again(airbyte: Airbyte, server: respx.Router) -> None:
    server.get("/jobs").respond(json={"data": [job(5, "succeeded")]})
    start = server.post("/jobs")
    start.side_effect = [httpx.Response(409, json=TRY_AGAIN), httpx.Response(200, json=job(6, "pending"))]
    assert airbyte.start_or_adopt(CONNECTION, "mongodb")[0] is Verb.STARTED


def test_a_start_is_sent_again_only_after_a_pause_for_an_overloaded_server(
    airbyte: Airbyte, server: respx.Router
) -> None:
    server.get("/jobs").respond(json={"data": []})
    start = server.post("/jobs")
    start.side_effect = [httpx.Response(429), httpx.Response(200, json=job(6, "pending"))]
    assert airbyte.start_or_adopt(CONNECTION, "mongodb")[0] is Verb.STARTED
    assert airbyte.search.clock() == 30.0


def test_a_new_job_that_is_listed_late_is_adopted(airbyte: Airbyte, server: respx.Router) -> None:
    nothing, late = (
        httpx.Response(200, json={"data": []}),
        httpx.Response(200, json={"data": [job(1, "running")]}),
    )
    server.get("/jobs").side_effect = [nothing, nothing, httpx.ConnectError("refused"), nothing, late]
    server.post("/jobs").respond(502)
    assert airbyte.start_or_adopt(CONNECTION, "mongodb")[0] is Verb.ADOPTED


def test_the_newest_job_is_recorded_before_the_start(airbyte: Airbyte, server: respx.Router) -> None:
    server.get("/jobs").respond(json={"data": [job(41, "succeeded")]})
    start = server.post("/jobs").respond(json=job(42, "pending"))
    recorded: list[tuple[int, int]] = []
    airbyte.start_or_adopt(
        CONNECTION, "mongodb", before_start=lambda newest: recorded.append((newest, start.call_count))
    )
    assert recorded == [(41, 0)]


def test_reads_are_retried_while_the_server_is_overloaded(airbyte: Airbyte, server: respx.Router) -> None:
    answers = [
        httpx.Response(503),
        httpx.ConnectError("refused"),
        httpx.Response(200, json=job(1, "running")),
    ]
    server.get("/jobs/1").mock(side_effect=answers)
    assert airbyte.poll("1", "mongodb").status == "running"


def test_an_unreachable_server_is_named_after_the_last_try(airbyte: Airbyte, server: respx.Router) -> None:
    route = server.get("/jobs/1").mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(UnreachableError, match=r"airbyte\.test"):
        airbyte.poll("1", "mongodb")
    assert route.call_count == 3


def test_a_401_gets_one_new_token_and_one_replay(airbyte: Airbyte, server: respx.Router) -> None:
    token = server.post("/applications/token")
    token.side_effect = [
        httpx.Response(200, json={"access_token": "old", "expires_in": 900}),
        httpx.Response(200, json={"access_token": "new", "expires_in": 900}),
    ]
    route = server.get("/jobs/1").mock(
        side_effect=[httpx.Response(401), httpx.Response(200, json=job(1, "running"))]
    )
    airbyte.poll("1", "mongodb")
    assert [call.request.headers["Authorization"] for call in route.calls] == ["Bearer old", "Bearer new"]


@pytest.mark.parametrize("status", [400, 401])
def test_wrong_credentials_are_an_access_error_that_shows_no_secret(
    server: respx.Router, status: int
) -> None:
    server.post("/applications/token").respond(status, json={"message": "Bad Request"})
    with pytest.raises(AccessError) as caught:
        Airbyte(URL, "id", "tops3cret").poll("1", "mongodb")
    assert "tops3cret" not in f"{caught.value.message} {caught.value.facts} {caught.value.hint}"
    assert "tops3cret" not in repr(Airbyte(URL, "id", "tops3cret"))


def test_an_unknown_connection_is_a_configuration_error(airbyte: Airbyte, server: respx.Router) -> None:
    server.get("/jobs").respond(404, json={"title": "resource-not-found", "detail": "no such connection"})
    with pytest.raises(ConfigurationError, match="no such connection"):
        airbyte.start_or_adopt(CONNECTION, "mongodb")


def test_the_token_lives_no_longer_than_its_own_expiry_claim() -> None:
    now = 1_000.0
    claims = base64.urlsafe_b64encode(json.dumps({"exp": now + 180}).encode()).decode().rstrip("=")
    auth = TokenAuth(URL, "id", "secret", clock=lambda: now)
    flow = auth.auth_flow(httpx.Request("GET", f"{URL}/jobs/1"))
    next(flow)
    flow.send(httpx.Response(200, json={"access_token": f"h.{claims}.s", "expires_in": 900}))
    flow.close()
    fresh = auth.auth_flow(httpx.Request("GET", f"{URL}/jobs/2"))
    assert next(fresh).url.path == "/v1/jobs/2"
    now += 160.0
    late = auth.auth_flow(httpx.Request("GET", f"{URL}/jobs/3"))
    assert next(late).url.path == "/v1/applications/token"


@pytest.mark.parametrize(
    ("spelling", "base"),
    [
        ("https://api.airbyte.com/v1", "https://api.airbyte.com/v1"),
        ("https://api.airbyte.com", "https://api.airbyte.com/v1"),
        ("https://host/api/public/v1/", "https://host/api/public/v1"),
        ("https://host/api/public/v1/v1", "https://host/api/public/v1"),
    ],
)
def test_every_spelling_of_the_url_ends_in_one_v1(spelling: str, base: str) -> None:
    assert public_api_url(spelling) == base


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT2M31S", 151.0), ("PT8H6M12S", 29172.0), ("P1DT1S", 86401.0), ("", None), ("PT", None)],
)
def test_durations_are_iso_8601(text: str, seconds: float | None) -> None:
    assert duration_seconds(text) == seconds


def test_a_file_belongs_to_the_sync_whose_start_is_in_its_name() -> None:
    created = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    sync = SyncJob(id="1", name="api", status="succeeded", created=created)
    epoch = int(created.timestamp() * 1000)
    assert wrote(sync, f"api/results/2026_01_02_{epoch + 20}_0.parquet", created)
    assert not wrote(sync, f"api/results/2026_01_01_{epoch - 60_000}_0.parquet", created)
