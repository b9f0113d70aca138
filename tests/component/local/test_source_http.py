"""The F1 API as a source: complete crawls or clear failures, at the pace that the API allows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx
from werkzeug.serving import make_server

from etltctl.local.samples import Throttle, sample_app
from etltctl.local.services.airbyte.http_pages import HttpPages, check_address
from etltctl.local.services.airbyte.pacing import Pace, parse_rate
from etltctl.local.services.airbyte.records import FailureKind, Stream, SyncCancelledError, SyncError
from etltctl.local.services.airbyte.source_http import HttpSource

API = "http://api.test/ergast/f1/"


class Clock:
    """A clock that moves only by sleeping. It can cancel the sync at a given sleep."""

    def __init__(self, cancel_at: int = -1) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._cancel_at = cancel_at

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self._cancel_at -= 1
        if self._cancel_at == 0:
            raise SyncCancelledError
        if seconds:
            self.now += seconds
            self.slept.append(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def source(clock: Clock, base_url: str = API, pace: Pace | None = None, **options: Any) -> HttpSource:
    pages = HttpPages(base_url, pace or Pace(None, clock=clock), clock.pause)
    return HttpSource(pages, options.get("seasons", [2099]), options.get("streams", ()), clock.pause)


def records(http_source: HttpSource, name: str) -> list[Any]:
    stream = next(stream for stream in http_source.streams() if stream.name == name)
    return list(http_source.read(stream))


def results(total: object, *rows_per_race: int, limit: object = 100) -> dict[str, Any]:
    races = [
        {"season": "2099", "round": str(number), "Results": [{}] * rows}
        for number, rows in enumerate(rows_per_race, 1)
    ]
    data = {"limit": str(limit), "offset": "0", "total": str(total), "RaceTable": {"Races": races}}
    return {"MRData": data}


@pytest.fixture
def replay(clock: Clock) -> Iterator[str]:
    """The replay server over a real socket; its throttle follows the virtual clock."""
    app = sample_app(lambda: None, Throttle(4, clock))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/ergast/f1/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_stream_of_the_sample_is_read_completely(replay: str, clock: Clock) -> None:
    http_source = source(clock, replay, Pace(3, clock=clock), seasons="all")
    counts = {stream.name: len(list(http_source.read(stream))) for stream in http_source.streams()}
    assert counts == {
        "races": 9,
        "results": 10,  # round 6 is split over two pages
        "sprint": 2,
        "qualifying": 10,
        "pit_stops": 9,
        "drivers": 20,
        "constructors": 10,
        "circuits": 9,
        "driver_standings": 9,
        "constructor_standings": 9,
    }
    assert clock.slept, "three requests a second need pauses"


def test_a_faster_crawl_is_throttled_and_still_completes(replay: str, clock: Clock) -> None:
    http_source = source(clock, replay, streams=["results", "pit_stops"])
    assert len(records(http_source, "pit_stops")) == 9
    assert clock.slept
    assert 1.0 <= clock.slept[0] <= 1.25


def test_records_are_the_objects_of_the_api(replay: str, clock: Clock) -> None:
    first = records(source(clock, replay, Pace(3, clock=clock)), "driver_standings")[0]
    assert (first["season"], first["round"]) == ("2099", "1")
    assert first["DriverStandings"][0]["points"] == "25"


def test_columns_are_fixed_and_named_as_in_the_api(clock: Clock) -> None:
    streams: dict[str, Stream] = {stream.name: stream for stream in source(clock).streams()}
    assert "laps" not in streams
    assert list(streams["results"].columns) == [
        "season", "round", "url", "raceName", "Circuit", "date", "time", "Results",
    ]  # fmt: skip
    assert {name for name, kind in streams["races"].columns.items() if kind == "json"} >= {
        "FirstPractice",
        "Sprint",
    }


def test_laps_are_read_round_by_round_on_request(clock: Clock) -> None:
    laps = {
        "MRData": {
            "limit": "100",
            "offset": "0",
            "total": "3",
            "RaceTable": {
                "Races": [
                    {"season": "2099", "round": "1", "Laps": [{"Timings": [{}, {}]}, {"Timings": [{}]}]}
                ]
            },
        }
    }
    with respx.mock(base_url=API) as api:
        api.get("2099/results/").respond(json=results(1, 1))
        api.get("2099/1/laps/").respond(json=laps)
        assert len(records(source(clock, streams=["laps"]), "laps")) == 1


def test_only_rounds_with_results_are_requested(clock: Clock) -> None:
    empty = {"limit": "100", "offset": "0", "total": "0", "StandingsTable": {"StandingsLists": []}}
    with respx.mock(base_url=API) as api:
        api.get("2099/results/").respond(json=results(2, 1, 1))
        route = api.get(url__regex=r".*/2099/\d+/driverstandings/.*").respond(json={"MRData": empty})
        assert records(source(clock, streams=["driver_standings"]), "driver_standings") == []
    assert [call.request.url.path.split("/")[-3] for call in route.calls] == ["1", "2"]


def test_the_offset_moves_by_the_limit_of_the_answer_and_not_of_the_request(clock: Clock) -> None:
    with respx.mock(base_url=API) as api:
        pages = [results(5, 2, limit=2), results(5, 2, limit=2), results(5, 1, limit=2)]
        route = api.get("2099/results/").mock(side_effect=[httpx.Response(200, json=page) for page in pages])
        assert len(records(source(clock), "results")) == 3
    assert [call.request.url.params["offset"] for call in route.calls] == ["0", "2", "4"]


def test_a_changed_total_restarts_the_endpoint(clock: Clock) -> None:
    with respx.mock(base_url=API) as api:
        pages = [results(150, 100), results(151, 50), results(151, 100), results(151, 51)]
        api.get("2099/results/").mock(side_effect=[httpx.Response(200, json=page) for page in pages])
        stored_records = records(source(clock), "results")
    assert sum(len(race["Results"]) for race in stored_records) == 151


def test_a_page_that_stays_truncated_is_a_failure(clock: Clock) -> None:
    with respx.mock(base_url=API) as api:
        route = api.get("2099/results/").respond(json=results(20, 19))
        with pytest.raises(SyncError, match="the API says 20 rows, its pages hold 19") as raised:
            records(source(clock), "results")
    assert raised.value.kind is FailureKind.TRANSIENT
    assert route.call_count == 3


def test_a_429_is_retried_with_growing_pauses(clock: Clock) -> None:
    refused = httpx.Response(429, json={"detail": "Request was throttled."})
    with respx.mock(base_url=API) as api:
        api.get("2099/results/").mock(side_effect=[refused] * 5 + [httpx.Response(200, json=results(1, 1))])
        assert len(records(source(clock), "results")) == 1
    for slept, planned in zip(clock.slept, (1, 2, 4, 8, 60), strict=True):
        assert planned <= slept <= planned * 1.25


def test_a_storm_of_429_ends_in_a_failure_that_names_the_url(clock: Clock) -> None:
    with respx.mock(base_url=API) as api:
        api.get("2099/results/").respond(429)
        with pytest.raises(SyncError, match=r"api\.test/ergast/f1/2099/results/.*keeps throttling") as raised:
            records(source(clock), "results")
    assert raised.value.kind is FailureKind.TRANSIENT
    assert sum(clock.slept) > 3000, "an hourly limit needs most of an hour"


def test_retry_after_is_obeyed(clock: Clock) -> None:
    with respx.mock(base_url=API) as api:
        refused = httpx.Response(429, headers={"Retry-After": "17"})
        api.get("2099/results/").mock(side_effect=[refused, httpx.Response(200, json=results(1, 1))])
        records(source(clock), "results")
    assert clock.slept[0] >= 17


@pytest.mark.parametrize("fault", [httpx.Response(500, html="<h1>oops</h1>"), httpx.ReadTimeout("slow")])
def test_a_5xx_and_a_timeout_are_retried_a_few_times(clock: Clock, fault: Any) -> None:
    with respx.mock(base_url=API) as api:
        answer = httpx.Response(200, json=results(1, 1))
        api.get("2099/results/").mock(side_effect=[fault, fault, answer])
        assert len(records(source(clock), "results")) == 1
        route = api.get("2099/results/").mock(side_effect=[fault] * 9)
        with pytest.raises(SyncError, match="giving up"):
            records(source(clock), "results")
    assert route.call_count == 3 + 5


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx.Response(404, text="no such thing"), "HTTP 404: no such thing"),
        (httpx.Response(400, json={"detail": "Bad Request"}), "HTTP 400"),
        (httpx.Response(200, html="<html>maintenance</html>"), "no JSON .*maintenance"),
        (httpx.Response(200, json=["not", "an", "object"]), "not an object"),
        (httpx.Response(200, json={"data": 1}), "no MRData"),
        (httpx.Response(200, json=results("many", 1)), "total is 'many'"),
        (httpx.Response(200, json=results(5, 1, limit=0)), "limit is 0"),
    ],
)
def test_an_impossible_answer_fails_at_once_and_names_the_place(
    clock: Clock, response: httpx.Response, words: str
) -> None:
    with respx.mock(base_url=API) as api:
        route = api.get("2099/results/").mock(return_value=response)
        with pytest.raises(SyncError, match=words) as raised:
            records(source(clock), "results")
    assert "2099/results/" in raised.value.message
    assert raised.value.kind is FailureKind.CONFIG
    assert route.call_count == 1


def test_an_unknown_stream_is_refused_by_name(clock: Clock) -> None:
    with pytest.raises(SyncError, match="no stream is called lapz; there are races"):
        source(clock, streams=["lapz"]).streams()


@pytest.mark.parametrize(
    "url", ["api.test/ergast", "ftp://api.test/", "http://", "http://api.test:port/", ""]
)
def test_a_base_url_that_is_not_an_address_is_refused(url: str) -> None:
    with pytest.raises(SyncError, match="is not an"):
        check_address(url)


def test_a_cancelled_crawl_stops_between_pages() -> None:
    clock = Clock(cancel_at=2)
    with respx.mock(base_url=API) as api:
        route = api.get("2099/results/").respond(json=results(1000, 100))
        with pytest.raises(SyncCancelledError):
            records(source(clock), "results")
    assert route.call_count == 1


def test_the_pace_spreads_requests_and_keeps_the_budget_of_the_hour(clock: Clock) -> None:
    pace = Pace(2, per_hour=3, clock=clock)
    times = []
    for _ in range(4):
        pace.take_turn(clock.pause)
        times.append(clock.now)
    assert times == [0.0, 0.5, 1.0, 3600.0]


def test_a_cancelled_turn_is_not_counted(clock: Clock) -> None:
    pace = Pace(None, per_hour=1, clock=clock)
    pace.take_turn(clock.pause)
    with pytest.raises(SyncCancelledError):
        pace.take_turn(Clock(cancel_at=1).pause)
    clock.now = 3600.0
    pace.take_turn(clock.pause)
    assert clock.slept == []


@pytest.mark.parametrize(
    ("rate", "per_second"), [("3/s", 3.0), ("30/m", 0.5), (4, 4.0), ("", None), (None, None)]
)
def test_rates_are_read(rate: Any, per_second: float | None) -> None:
    assert parse_rate(rate) == per_second


@pytest.mark.parametrize("rate", ["fast", "0/s", "3/fortnight"])
def test_an_invalid_rate_is_refused(rate: str) -> None:
    with pytest.raises(ValueError):
        parse_rate(rate)
