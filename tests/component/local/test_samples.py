"""The samples: a replay of the F1 API's contract over an invented season, and real weather documents."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from etltctl.local.samples import Throttle, sample_app, weather_documents
from etltctl.local.samples.archive import INVENTED_FILE
from support.invented_season.__main__ import season_text
from support.invented_season.season import invented_season

PACK = Path(os.environ.get("ETLTCTL_DATA_PACK", "/nonexistent"))
needs_pack = pytest.mark.skipif(not PACK.is_dir(), reason="ETLTCTL_DATA_PACK names no folder")


@pytest.fixture
def api() -> Client:
    return Client(sample_app(lambda: None))


def ask(api: Client, path: str) -> dict[str, Any]:
    response = api.get(f"/ergast/f1{path}")
    assert response.status_code == 200, response.text
    return response.json["MRData"]


def whole(api: Client, path: str, table: str, listing: str) -> list[dict[str, Any]]:
    entries, offset, total = [], 0, 1
    while offset < total:
        data = ask(api, f"{path}?limit=100&offset={offset}")
        entries += data[table][listing]
        offset, total = offset + int(data["limit"]), int(data["total"])
    return entries


def test_a_race_on_a_page_boundary_appears_on_both_pages(api: Client) -> None:
    pages = [ask(api, f"/2099/results/?limit=100&offset={offset}") for offset in (0, 100)]
    assert [page["total"] for page in pages] == ["179", "179"]
    last, first = pages[0]["RaceTable"]["Races"][-1], pages[1]["RaceTable"]["Races"][0]
    assert (last["round"], len(last["Results"])) == ("6", 1)
    assert (first["round"], len(first["Results"])) == ("6", 19)
    assert last["raceName"] == first["raceName"]


@pytest.mark.parametrize(
    ("query", "limit", "offset", "rows"),
    [("", "30", "0", 30), ("?limit=1000", "100", "0", 100), ("?limit=abc&offset=-5", "30", "0", 30),
     ("?limit=0", "30", "0", 30), ("?offset=9999", "30", "9999", 0)],
)  # fmt: skip
def test_limit_and_offset_are_read_as_the_api_reads_them(
    api: Client, query: str, limit: str, offset: str, rows: int
) -> None:
    data = ask(api, f"/2099/results/{query}")
    assert (data["limit"], data["offset"]) == (limit, offset)
    assert sum(len(race["Results"]) for race in data["RaceTable"]["Races"]) == rows


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        (
            "/2099/pitstops/",
            400,
            "Bad Request: Missing one of the required parameters ['season_year', 'race_round'].",
        ),
        ("/driverstandings/", 400, "Bad Request: Missing one of the required parameters ['season_year']."),
        ("/2099/nothing/", 400, "Bad Request: Endpoint does not support final filter."),
    ],
)
def test_a_refusal_has_the_words_of_the_api(api: Client, path: str, status: int, detail: str) -> None:
    response = api.get(f"/ergast/f1{path}")
    assert (response.status_code, response.json) == (status, {"detail": detail})


def test_a_path_without_its_final_slash_is_redirected_with_its_query(api: Client) -> None:
    response = api.get("/ergast/f1/2099/results?limit=3")
    assert response.status_code == 301
    assert response.headers["Location"].endswith("/ergast/f1/2099/results/?limit=3")


def test_only_reading_is_allowed(api: Client) -> None:
    assert api.post("/ergast/f1/2099/results/").status_code == 405
    head = api.head("/ergast/f1/2099/results/")
    assert (head.status_code, head.data) == (200, b"")


def test_an_unknown_season_is_an_empty_list_and_a_round_without_standings_has_no_round(api: Client) -> None:
    assert ask(api, "/1066/results/")["RaceTable"] == {"season": "1066", "Races": []}
    assert ask(api, "/2099/77/driverstandings/")["StandingsTable"] == {
        "season": "2099",
        "round": None,
        "StandingsLists": [],
    }


def test_standings_without_a_round_are_those_after_the_last_one(api: Client) -> None:
    last = ask(api, "/2099/driverStandings/?limit=100")["StandingsTable"]
    assert last == ask(api, "/2099/9/driverstandings/?limit=100")["StandingsTable"]


def test_the_throttle_answers_429_without_retry_after() -> None:
    now = [0.0]
    api = Client(sample_app(lambda: None, Throttle(4, clock=lambda: now[0])))
    statuses = [api.get("/ergast/f1/seasons/").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 200, 429]
    refused = api.get("/ergast/f1/seasons/")
    assert refused.json == {"detail": "Request was throttled."}
    assert "Retry-After" not in refused.headers
    now[0] = 1.5
    assert api.get("/ergast/f1/seasons/").status_code == 200


def test_the_invented_season_says_that_it_is_invented(api: Client) -> None:
    for kind, table in (
        ("drivers", "DriverTable"),
        ("constructors", "ConstructorTable"),
        ("circuits", "CircuitTable"),
    ):
        for record in ask(api, f"/2099/{kind}/?limit=100")[table][kind.capitalize()]:
            assert "invented" in record["url"]


def test_points_of_races_and_sprints_add_up_to_the_standings_after_every_round() -> None:
    season = invented_season()
    points: Counter[str] = Counter()
    sprints = {race["round"]: race["SprintResults"] for race in season["sprint"]}
    assert set(sprints) == {"3", "7"}
    for race, drivers, constructors in zip(
        season["results"], season["driverstandings"], season["constructorstandings"], strict=True
    ):
        for row in [*race["Results"], *sprints.get(race["round"], [])]:
            points[row["Driver"]["driverId"]] += int(row["points"])
            points[row["Constructor"]["constructorId"]] += int(row["points"])
        for row in drivers["DriverStandings"]:
            assert points[row["Driver"]["driverId"]] == int(row["points"])
        for row in constructors["ConstructorStandings"]:
            assert points[row["Constructor"]["constructorId"]] == int(row["points"])
        order = [int(row["points"]) for row in drivers["DriverStandings"]]
        assert order == sorted(order, reverse=True)


def test_every_race_of_the_invented_season_obeys_the_rules_of_real_races() -> None:
    season = invented_season()
    assert [len(race["Results"]) for race in season["results"]] == [20, 20, 20, 19, 20, 20, 20, 20, 20]
    for race in [*season["results"], *season["sprint"]]:
        rows = race.get("Results") or race["SprintResults"]
        assert [row["position"] for row in rows] == [str(place) for place in range(1, len(rows) + 1)]
        assert all(int(row["laps"]) <= int(rows[0]["laps"]) for row in rows)
        grid = [row["grid"] for row in rows if row["grid"] != "0"]
        assert len(grid) == len(set(grid))
        assert [row["FastestLap"]["rank"] for row in rows].count("1") == 1
    statuses = Counter(row["positionText"] for race in season["results"] for row in race["Results"])
    assert statuses["R"] > 5
    assert [row["grid"] for race in season["results"] for row in race["Results"]].count("0") == 1


def test_a_driver_changes_team_in_mid_season_and_keeps_both_in_the_standings() -> None:
    last = invented_season()["driverstandings"][-1]["DriverStandings"]
    moved = {
        row["Driver"]["driverId"]: len(row["Constructors"]) for row in last if len(row["Constructors"]) > 1
    }
    assert moved == {"invented_damper": 2, "invented_gearbox": 2}


def test_stops_are_numbered_per_driver_and_only_starters_stop() -> None:
    season = invented_season()
    for race, stops in zip(season["results"], season["pitstops"], strict=True):
        starters = {row["Driver"]["driverId"] for row in race["Results"]}
        numbers: dict[str, list[int]] = {}
        for stop in stops["PitStops"]:
            numbers.setdefault(stop["driverId"], []).append(int(stop["stop"]))
        assert set(numbers) <= starters
        assert all(row == list(range(1, len(row) + 1)) for row in numbers.values())


def test_the_shipped_season_equals_the_output_of_its_generator() -> None:
    """If it fails after a change of the generator, run `python tests/support/invented_season`."""
    assert INVENTED_FILE.read_text("utf-8") == season_text()


def test_weather_documents_are_metric_and_in_utc_and_omit_missing_values() -> None:
    documents = list(weather_documents(None))
    assert Counter(each["city_name"] for each in documents) == {
        "Newark Liberty Intl": 8703,
        "La Guardia": 8706,
    }
    first = {name: value for name, value in documents[0].items() if name != "_id"}
    assert json.dumps(first) == (
        '{"dt": 1357020000, "dt_iso": "2013-01-01 06:00:00 +0000 UTC", "timezone": -18000, '
        '"city_name": "Newark Liberty Intl", "lat": 40.6925, "lon": -74.168667, '
        '"main": {"temp": 3.9, "pressure": 1012, "humidity": 59.37, "dew_point": -3.3}, '
        '"wind": {"speed": 4.63, "deg": 270}, "visibility": 16093}'
    )
    identifiers = [str(each["_id"]) for each in documents]
    assert identifiers == sorted(set(identifiers))
    assert max(each.get("wind", {}).get("speed", 0) for each in documents) == 468.66  # kept as in the source


def test_the_weather_sample_does_not_import_pandas() -> None:
    code = (
        "import sys;from etltctl.local.samples import weather_documents;"
        "next(iter(weather_documents(None)));sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.pack
@needs_pack
def test_newark_documents_equal_those_of_the_pack() -> None:
    documents = [each for each in weather_documents(None) if each["city_name"].startswith("Newark")]
    for document in documents:
        del document["_id"]
    with gzip.open(PACK / "weather" / "newark_2013.jsonl.gz", "rt") as lines:
        assert [json.dumps(each) for each in documents] == [json.dumps(json.loads(line)) for line in lines]


@pytest.mark.pack
@needs_pack
@pytest.mark.parametrize("offset", [0, 100, 200, 300, 400])
def test_pages_of_the_pack_equal_the_recorded_ones(offset: int) -> None:
    api = Client(sample_app(lambda: PACK))
    page = ask(api, f"/2024/results/?limit=100&offset={offset}")
    file = PACK / "f1" / "pages_sample" / f"2024_results_limit100_offset{offset}.json.gz"
    golden = json.loads(gzip.decompress(file.read_bytes()))["MRData"]
    assert {**page, "url": ""} == {**golden, "url": ""}


@pytest.mark.pack
@needs_pack
def test_all_pages_of_the_pack_hold_every_result() -> None:
    api = Client(sample_app(lambda: PACK))
    assert len(ask(api, "/seasons/")["SeasonTable"]["Seasons"]) == 7
    races = whole(api, "/2023/results/", "RaceTable", "Races")
    assert sum(len(race["Results"]) for race in races) == 440
