"""A replay server of the F1 API's contract (Ergast-compatible, as Jolpica serves it), without any network."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from wsgiref.util import application_uri

from etltctl.local.samples.archive import Archive

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

Record = dict[str, Any]
Row = tuple[tuple[Record, ...], Record]  # the heads that it stands under, outermost first, and the row itself

ROOT = "/ergast/f1"
# As Jolpica's documentation of rate limits and pagination has them.
DEFAULT_LIMIT, MAX_LIMIT = 30, 100


@dataclass(frozen=True)
class Endpoint:
    """Where an endpoint's list is in the answer and what its innermost rows are; what the path must name."""

    table: str
    listing: str
    rows: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


# Pit stops and laps exist by race only, and standings by season: the API refuses wider requests.
ENDPOINTS = {
    "seasons": Endpoint("SeasonTable", "Seasons"),
    "circuits": Endpoint("CircuitTable", "Circuits"),
    "drivers": Endpoint("DriverTable", "Drivers"),
    "constructors": Endpoint("ConstructorTable", "Constructors"),
    "races": Endpoint("RaceTable", "Races"),
    "results": Endpoint("RaceTable", "Races", ("Results",)),
    "sprint": Endpoint("RaceTable", "Races", ("SprintResults",)),
    "qualifying": Endpoint("RaceTable", "Races", ("QualifyingResults",)),
    "pitstops": Endpoint("RaceTable", "Races", ("PitStops",), ("season_year", "race_round")),
    "laps": Endpoint("RaceTable", "Races", ("Laps", "Timings"), ("season_year", "race_round")),
    "driverstandings": Endpoint("StandingsTable", "StandingsLists", ("DriverStandings",), ("season_year",)),
    "constructorstandings": Endpoint(
        "StandingsTable", "StandingsLists", ("ConstructorStandings",), ("season_year",)
    ),
}


class RefusedError(Exception):
    """The request cannot be answered; holds the status and the API's words."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass
class Throttle:
    """Lets `per_second` requests through in any second and refuses the rest."""

    per_second: int
    clock: Callable[[], float] = time.monotonic
    _seen: deque[float] = field(default_factory=deque)

    def check(self) -> None:
        """Raise RefusedError (429) for a request too many; like the API, without saying when to come back."""
        now = self.clock()
        # A sliding second: a counter per clock second would let twice as many through at its border.
        while self._seen and self._seen[0] <= now - 1:
            self._seen.popleft()
        if len(self._seen) >= self.per_second:
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "Request was throttled.")
        self._seen.append(now)


@dataclass(frozen=True)
class ErgastServer:
    """The API over one archive, as a WSGI application; PATH_INFO begins with /ergast/f1."""

    archive: Callable[[], Archive]
    throttle: Throttle | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        try:
            self._check(environ["REQUEST_METHOD"], path)
        except RefusedError as refused:
            return _send(start_response, refused.status, {"detail": refused.detail})
        # The API runs on Django, whose APPEND_SLASH redirects such a path before any view sees it.
        if not path.endswith(("/", ".json")):
            return _redirect(environ, start_response, path)
        try:
            answer = self._answer(environ, path)
        except RefusedError as refused:
            return _send(start_response, refused.status, {"detail": refused.detail})
        body = _send(start_response, HTTPStatus.OK, answer, ("Cache-Control", "max-age=15"))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else body

    def _check(self, method: str, path: str) -> None:
        if not path.startswith(ROOT):
            raise RefusedError(HTTPStatus.NOT_FOUND, "Not found.")
        # Django REST framework throttles before it chooses a method, so a wrong method counts too.
        if self.throttle is not None:
            self.throttle.check()
        if method not in ("GET", "HEAD"):
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, f'Method "{method}" not allowed.')

    def _answer(self, environ: WSGIEnvironment, path: str) -> Record:
        archive = self.archive()
        season, race, name = _route(path, archive)
        endpoint = ENDPOINTS[name]
        items, echoed = _select(archive, season, race, name)
        # `limit` counts the innermost rows, so a page can end inside a race: its rest is on the next one.
        rows = list(_innermost_rows(items, endpoint.rows))
        limit, offset = _page_asked(environ.get("QUERY_STRING", ""))
        return {
            "MRData": {
                "xmlns": "",
                "series": "f1",
                "url": (application_uri(environ).rstrip("/") + path).lower(),
                "limit": str(limit),
                "offset": str(offset),
                "total": str(len(rows)),
                endpoint.table: {
                    **echoed,
                    endpoint.listing: _regroup(rows[offset : offset + limit], endpoint.rows),
                },
            }
        }


def _route(path: str, archive: Archive) -> tuple[str, str, str]:
    """Season, round and endpoint of a path; season and round may be empty. Raises RefusedError."""
    parts = path.removeprefix(ROOT).removesuffix(".json").strip("/").split("/")
    season = parts.pop(0) if re.fullmatch(r"\d{4}|current", parts[0]) else ""
    race = parts.pop(0) if season and parts and re.fullmatch(r"\d+|last|next", parts[0]) else ""
    name = parts[0].lower() if parts else ""
    # The API has more filters, such as a driver's results; the connector uses none of them.
    if len(parts) != 1 or name not in ENDPOINTS:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "Bad Request: Endpoint does not support final filter.")
    required = ENDPOINTS[name].required
    if (required and not season) or ("race_round" in required and not race):
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, f"Bad Request: Missing one of the required parameters {list(required)}."
        )
    if season == "current":
        season = archive.seasons()[-1]
    if race == "last":
        race = _last_round(archive.whole(season, "results"))
    return season, race, name


def _select(archive: Archive, season: str, race: str, name: str) -> tuple[list[Record], Record]:
    """Return the list the path asks for, whole, and the filters the answer repeats."""
    echoed = {key: value for key, value in (("season", season), ("round", race)) if value}
    if name == "seasons":
        return [{"season": year, "url": ""} for year in archive.seasons() if season in ("", year)], echoed
    if ENDPOINTS[name].table == "StandingsTable":
        tables = archive.whole(season, name)
        race = race or _last_round(tables)
        items = _of_round(tables, race)
        return items, {"season": season, "round": race if items else None}
    seasons = [season] if season else archive.seasons()
    items = [item for year in seasons for item in _season_items(archive, year, race, name)]
    return (_distinct(items) if name in ("drivers", "constructors", "circuits") else items), echoed


def _season_items(archive: Archive, season: str, race: str, name: str) -> list[Record]:
    if not race:
        return archive.whole(season, name)
    if name == "circuits":
        return [item["Circuit"] for item in _of_round(archive.whole(season, "races"), race)]
    if name in ("drivers", "constructors"):
        results = _of_round(archive.whole(season, "results"), race)
        return [row[name[:-1].capitalize()] for item in results for row in item["Results"]]
    return _of_round(archive.whole(season, name), race)


def _of_round(items: list[Record], race: str) -> list[Record]:
    return [item for item in items if item["round"] == race]


def _last_round(items: list[Record]) -> str:
    return str(items[-1]["round"]) if items else ""


def _distinct(items: list[Record]) -> list[Record]:
    """Return each driver, constructor or circuit once; its id is its first value."""
    return list({next(iter(item.values())): item for item in items}.values())


def _page_asked(query: str) -> tuple[int, int]:
    """Limit and offset; what is not a sensible number counts as not given, and more than 100 as 100."""
    parameters = parse_qs(query)
    limit = _whole_number(parameters.get("limit", [""])[-1])
    return min(limit or DEFAULT_LIMIT, MAX_LIMIT), _whole_number(parameters.get("offset", [""])[-1])


def _whole_number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def _send(
    start_response: StartResponse, status: HTTPStatus, answer: Record, *headers: tuple[str, str]
) -> list[bytes]:
    body = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
    start_response(
        f"{status.value} {status.phrase}",
        [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers],
    )
    return [body]


def _redirect(environ: WSGIEnvironment, start_response: StartResponse, path: str) -> list[bytes]:
    query = environ.get("QUERY_STRING", "")
    location = application_uri(environ).rstrip("/") + path + "/" + (f"?{query}" if query else "")
    start_response("301 Moved Permanently", [("Location", location), ("Content-Length", "0")])
    return []


def _innermost_rows(
    items: Iterable[Record], names: Sequence[str], heads: tuple[Record, ...] = ()
) -> Iterator[Row]:
    """Yield every row below the lists called `names`, each list inside the one before it; no names: the items."""
    if not names:
        yield from ((heads, item) for item in items)
        return
    name, deeper = names[0], names[1:]
    for item in items:
        head = {key: value for key, value in item.items() if key != name}
        yield from _innermost_rows(item[name], deeper, (*heads, head))


def _regroup(rows: Iterable[Row], names: Sequence[str]) -> list[Record]:
    """Return the rows back under their heads, which are repeated here although another page has shown them."""
    listing: list[Record] = []
    shown: list[Record] = []
    for heads, row in rows:
        target = listing
        for depth, head in enumerate(heads):
            # By identity: two races of equal heads are still two.
            if depth >= len(shown) or shown[depth] is not head:
                del shown[depth:]
                shown.append(head)
                target.append({**head, names[depth]: []})
            target = target[-1][names[depth]]
        target.append(row)
    return listing
