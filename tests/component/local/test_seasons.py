"""Incremental streams of the Formula 1 API: seasons that are over are left out, others are read from the last round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import respx

from etltctl.local.services.airbyte.http_pages import HttpPages
from etltctl.local.services.airbyte.pacing import Pace
from etltctl.local.services.airbyte.records import Checkpoint, FailureKind, SyncError
from etltctl.local.services.airbyte.source_http import HttpSource
from etltctl.runs import STATE_UNUSABLE

API = "http://api.test/ergast/f1/"
State = dict[str, Any]


class Formula1:
    """An API whose seasons have this many rounds with results, and the paths that were asked for."""

    def __init__(self, **rounds: int) -> None:
        self.rounds = {season.removeprefix("y"): count for season, count in rounds.items()}
        self.paths: list[str] = []

    def read(self, state: State, stream: str, seasons: Sequence[int]) -> tuple[list[str], State]:
        """Return the `season/round` of the records that are read, and the newest state."""
        self.paths = []
        pages = HttpPages(API, Pace(None), lambda seconds: None)
        source = HttpSource(pages, seasons, [stream], lambda seconds: None, {stream: state})
        records: list[str] = []
        with respx.mock(base_url=API) as api:
            api.get(url__regex=r".*").mock(side_effect=self._answer)
            for each in source.read(source.streams()[0]):
                if isinstance(each, Checkpoint):
                    state = dict(each.state)
                else:
                    records.append(f"{each['season']}/{each['round']}")
        source.close()
        return records, state

    def _answer(self, request: Any) -> Any:
        import httpx

        path = request.url.path.removeprefix("/ergast/f1/").rstrip("/")
        self.paths.append(path)
        season, *_, what = path.split("/")
        count = self.rounds.get(season, 0)
        numbers = [path.split("/")[1]] if path.count("/") == 2 else [str(each + 1) for each in range(count)]
        listing = {"results": "Results", "driverstandings": "DriverStandings"}.get(what)
        records = [
            {"season": season, "round": number, **({listing: [{}]} if listing else {})} for number in numbers
        ]
        table, name = (
            ("StandingsTable", "StandingsLists") if what == "driverstandings" else ("RaceTable", "Races")
        )
        data = {"limit": "100", "offset": "0", "total": str(len(records)), table: {name: records}}
        return httpx.Response(200, json={"MRData": data})


def test_rounds_are_read_from_the_last_one_on() -> None:
    api = Formula1(y2023=3)
    records, state = api.read({}, "driver_standings", [2023])
    assert records == ["2023/1", "2023/2", "2023/3"]
    api.rounds["2023"] = 5
    records, state = api.read(state, "driver_standings", [2023])
    assert records == ["2023/3", "2023/4", "2023/5"], "the last round may have been incomplete"
    assert api.read(state, "driver_standings", [2023])[0] == ["2023/5"]


def test_a_stream_of_seasons_is_read_whole_for_the_newest_season() -> None:
    api = Formula1(y2022=2, y2023=3)
    _, state = api.read({}, "races", [2022, 2023])
    assert api.read(state, "races", [2022, 2023])[0] == ["2023/1", "2023/2", "2023/3"]


@pytest.mark.parametrize("stream", ["races", "results", "driver_standings"])
def test_a_season_that_was_over_when_it_was_read_is_not_asked_for_again(stream: str) -> None:
    api = Formula1(y2022=2, y2023=3)
    _, state = api.read({}, stream, [2023, 2022])
    api.read(state, stream, [2023, 2022])
    assert not [path for path in api.paths if path.startswith("2022")]


@pytest.mark.parametrize(
    ("stream", "again"), [("results", ["1", "2", "3"]), ("driver_standings", ["2", "3"])]
)
def test_a_season_that_ended_since_the_last_sync_is_read_once_more(stream: str, again: list[str]) -> None:
    api = Formula1(y2022=2, y2023=0)
    _, state = api.read({}, stream, [2022, 2023])
    api.rounds |= {"2022": 3, "2023": 1}
    records, state = api.read(state, stream, [2022, 2023])
    assert records == [*(f"2022/{number}" for number in again), "2023/1"]
    assert api.read(state, stream, [2022, 2023])[0] == ["2023/1"]


def test_an_earlier_season_that_is_added_later_is_read() -> None:
    api = Formula1(y2021=2, y2023=1)
    _, state = api.read({}, "results", [2023])
    assert api.read(state, "results", [2021, 2023])[0] == ["2021/1", "2021/2", "2023/1"]


def test_a_season_that_was_cut_off_is_continued_although_a_later_one_is_known() -> None:
    api = Formula1(y2021=3, y2023=1)
    state = {"seasons": {"2021": {"round": 2, "is_over": False}, "2023": {"round": 1, "is_over": False}}}
    assert api.read(state, "driver_standings", [2021, 2023])[0] == ["2021/2", "2021/3", "2023/1"]


def test_a_season_that_has_not_begun_is_read_when_it_has() -> None:
    api = Formula1(y2023=0)
    records, state = api.read({}, "driver_standings", [2023])
    assert records == []
    api.rounds["2023"] = 1
    assert api.read(state, "driver_standings", [2023])[0] == ["2023/1"]


def test_an_api_that_has_fewer_rounds_than_were_read_is_named() -> None:
    api = Formula1(y2023=3)
    _, state = api.read({}, "driver_standings", [2023])
    api.rounds["2023"] = 1
    with pytest.raises(
        SyncError, match=r"driver_standings: round 3 of 2023 was read before, .* of 1 rounds"
    ) as raised:
        api.read(state, "driver_standings", [2023])
    assert (raised.value.kind, raised.value.code) == (FailureKind.CONFIG, STATE_UNUSABLE)


@pytest.mark.parametrize(
    "state",
    [{"cursor": "x"}, {"seasons": []}, {"seasons": {"2023": 1}}, {"seasons": {"x": {"round": 1, "is_over": True}}},
     {"seasons": {"2023": {"round": -1, "is_over": True}}}],
)  # fmt: skip
def test_a_state_that_is_not_one_of_this_api_is_refused(state: State) -> None:
    with pytest.raises(SyncError, match="results: its state cannot be read"):
        Formula1(y2023=1).read(state, "results", [2023])
