"""The Formula 1 API (Ergast-compatible) as an Airbyte source: every endpoint a stream, crawled whole or not at all.

An incremental stream leaves out the seasons that were over when they were read last. Of the newest season with results
an endpoint of rounds is read from the last round on, and an endpoint of seasons whole: the API gives it whole anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

from etltctl.local.services.airbyte.endpoints import DEFAULT_STREAMS, ENDPOINTS, SEASONS, Endpoint
from etltctl.local.services.airbyte.http_pages import HttpPages
from etltctl.local.services.airbyte.records import (
    Checkpoint,
    FailureKind,
    Pause,
    Record,
    States,
    Stream,
    SyncError,
)
from etltctl.local.services.airbyte.season_marks import SeasonMarks
from etltctl.local.services.airbyte.states import unusable_state

PAGE_ROWS = 100
CRAWLS = 3  # of one endpoint, before its moving or incomplete answers are called a failure


class HttpSource:
    """Some seasons of the API, or all it has."""

    def __init__(
        self,
        pages: HttpPages,
        seasons: Sequence[int | str] | str,
        streams: Sequence[str],
        pause: Pause,
        states: States = MappingProxyType({}),
    ) -> None:
        self._pages = pages
        self._wanted = seasons
        self._names = list(streams or DEFAULT_STREAMS)
        self._pause = pause
        self._states = states
        self._rounds: dict[str, list[str]] = {}

    def streams(self) -> Sequence[Stream]:
        """Return the configured streams; their columns are fixed. Raises SyncError for a name that does not exist."""
        unknown = [name for name in self._names if name not in ENDPOINTS]
        if unknown:
            raise SyncError(
                f"no stream is called {', '.join(unknown)}; there are {', '.join(ENDPOINTS)}",
                FailureKind.CONFIG,
            )
        return [Stream(name, ENDPOINTS[name].columns) for name in self._names]

    def discover(self) -> Sequence[Stream]:
        """Return every stream that the API has, after one request that shows that it answers. Raises SyncError."""
        _listing(
            _envelope(self._pages.get("seasons/", {"limit": 1, "offset": 0}), "seasons/"), SEASONS, "seasons/"
        )
        return [Stream(name, endpoint.columns) for name, endpoint in ENDPOINTS.items()]

    def read(self, stream: Stream) -> Iterator[Record | Checkpoint]:
        """Yield the stream's records, season by season; a record is an element of the API's list on one page."""
        endpoint = ENDPOINTS[stream.name]
        if stream.name in self._states:
            yield from self._read_new(stream.name, endpoint)
            return
        for season in self._seasons:
            if not endpoint.is_per_round:
                yield from self._crawl(endpoint, f"{season}/{endpoint.path}/")
                continue
            for number in self._rounds_run(season):
                yield from self._crawl(endpoint, f"{season}/{number}/{endpoint.path}/")

    def _read_new(self, name: str, endpoint: Endpoint) -> Iterator[Record | Checkpoint]:
        """Yield the records that the state does not cover, and a checkpoint after each season or round."""
        try:
            marks = SeasonMarks.parse(self._states[name])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            trouble = f"its state cannot be read ({type(error).__name__}: {error})"
            raise unusable_state(f"{name}: {trouble}") from error
        for season in sorted(self._seasons, key=int):
            if marks.of(season).is_over:
                continue
            # Over by now, not by the last sync: rounds may have been run since.
            is_over = int(season) < self._newest_begun
            if endpoint.is_per_round:
                for number in self._rounds_from(marks.of(season).round, season, name):
                    yield from self._crawl(endpoint, f"{season}/{number}/{endpoint.path}/")
                    marks = marks.reached(season, int(number))
                    yield Checkpoint(marks.as_state())
            else:
                yield from self._crawl(endpoint, f"{season}/{endpoint.path}/")
            marks = marks.reached(season, is_over=is_over)
            yield Checkpoint(marks.as_state())

    def _rounds_from(self, last: int, season: str, name: str) -> list[str]:
        """Return the rounds from the last one on, which may have been incomplete when it was read."""
        rounds = sorted(self._rounds_run(season), key=int)
        newest = int(rounds[-1]) if rounds else 0
        if newest < last:
            raise unusable_state(
                f"{name}: round {last} of {season} was read before, and the API has results of {newest} rounds now: "
                "it is another API, or one that lost data"
            )
        return [number for number in rounds if int(number) >= last]

    @cached_property
    def _newest_begun(self) -> int:
        """The newest season that has results; 0 if none has. The calendar of a later one may be out already."""
        seasons = sorted(self._seasons, key=int, reverse=True)
        return int(next((season for season in seasons if self._rounds_run(season)), 0))

    def close(self) -> None:
        """Close the connection."""
        self._pages.close()

    @cached_property
    def _seasons(self) -> list[str]:
        if self._wanted != "all":
            return [str(season) for season in self._wanted]
        return [record["season"] for record in self._crawl(SEASONS, "seasons/")]

    def _rounds_run(self, season: str) -> list[str]:
        """Return the rounds that have results: what is asked round by round exists for those only."""
        if season not in self._rounds:
            # Not the calendar, which has the rounds to come as well.
            races = self._crawl(ENDPOINTS["results"], f"{season}/results/")
            self._rounds[season] = list(dict.fromkeys(race["round"] for race in races))
        return self._rounds[season]

    def _crawl(self, endpoint: Endpoint, path: str) -> list[dict[str, Any]]:
        """Return every record at the path. The API has no snapshot, so pages that do not add up are fetched again."""
        trouble = ""
        for _ in range(CRAWLS):
            records, trouble = self._crawl_once(endpoint, path)
            if not trouble:
                self._remember_rounds(endpoint, records)
                return records
        raise SyncError(f"{path}: {trouble}, {CRAWLS} times in a row", FailureKind.TRANSIENT)

    def _crawl_once(self, endpoint: Endpoint, path: str) -> tuple[list[dict[str, Any]], str]:
        """Return the records of all pages and what is wrong with them, if anything is."""
        records: list[dict[str, Any]] = []
        rows, offset, total = 0, 0, None
        while total is None or offset < total:
            self._pause(0)
            data = _envelope(self._pages.get(path, {"limit": PAGE_ROWS, "offset": offset}), path)
            page, limit = _listing(data, endpoint, path), _number(data, "limit", path)
            # A row that comes or goes shifts all later pages: some rows would come twice, and others never.
            if total is not None and total != _number(data, "total", path):
                return [], f"the total changed from {total} to {data['total']} while the pages were read"
            total = _number(data, "total", path)
            rows += sum(_count_rows(record, endpoint.rows) for record in page)
            records += page
            if limit < 1:
                raise _broken(path, "the page's limit is 0")
            # By the limit of the answer: the API lowers one that is above its own.
            offset += limit
        return records, "" if rows == total else f"the API says {total} rows, its pages hold {rows}"

    def _remember_rounds(self, endpoint: Endpoint, records: list[dict[str, Any]]) -> None:
        if endpoint is ENDPOINTS["results"] and records:
            rounds = list(dict.fromkeys(race["round"] for race in records))
            self._rounds[records[0]["season"]] = rounds


def _envelope(answer: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    data = answer.get("MRData")
    if not isinstance(data, dict):
        raise _broken(path, "the answer has no MRData")
    return data


def _listing(data: Mapping[str, Any], endpoint: Endpoint, path: str) -> list[dict[str, Any]]:
    records = data.get(endpoint.table, {}).get(endpoint.listing)
    if not isinstance(records, list):
        raise _broken(path, f"the answer has no {endpoint.table}.{endpoint.listing}")
    return records


def _number(data: Mapping[str, Any], name: str, path: str) -> int:
    text = str(data.get(name, ""))
    if not text.isdigit():
        raise _broken(path, f"{name} is {text!r}, not a number")
    return int(text)


def _count_rows(record: Mapping[str, Any], names: Sequence[str]) -> int:
    if not names:
        return 1
    return sum(_count_rows(inner, names[1:]) for inner in record.get(names[0], []))


def _broken(path: str, trouble: str) -> SyncError:
    return SyncError(f"{path}: {trouble}; is base_url an Ergast-compatible API?", FailureKind.CONFIG)
