"""Tables lie apart: no table's folder is inside another's, for whoever deletes one would delete the other."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import pairwise

from etltctl.settings.model import Settings
from etltctl.settings.places import Path as KeyPath


def folders(settings: Settings) -> dict[str, str]:
    """Every folder that belongs to one thing alone, by what it is for."""
    found = {
        f"bronze.{table}": location
        for source in settings.sources
        for table, location in settings.stream_locations(source).items()
    }
    for table in _written(settings):
        layer, _, name = table.partition(".")
        found[table] = f"{settings.lake.root(layer)}/{name}/"
    found |= {table: rules.location for table, rules in settings.tables.items() if rules.location}
    found["the results of queries"] = settings.athena.output_location
    found["the scripts of the jobs"] = f"{settings.lake.scripts}/glue_jobs/"
    return found


def overlaps(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """What lies inside something else. A folder's name ends with `/`: `orders` is not inside `orders_old`."""
    listed = sorted((location, what) for what, location in folders(settings).items())
    for (outer, owner), (inner, what) in pairwise(listed):
        if inner.startswith(outer):
            text = f"{what} at {inner} lies inside {owner} at {outer}: give one of them a place of its own"
            yield ("lake",), text


def written_twice(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """Tables with two writers, of which the later would undo the earlier."""
    writers: dict[str, str] = {}
    for name, job in settings.glue.jobs.items():
        for table in job.writes:
            if table in writers:
                text = f"table {table} is written by job {writers[table]} already: a table has one writer"
                yield ("glue", "jobs", name, "writes"), text
            writers.setdefault(table, name)


def unknown_tables(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """Rules for tables that nothing writes and nobody says the place of."""
    known = [*folders(settings)]
    for table in settings.tables:
        if table not in known:
            near = difflib.get_close_matches(table, known, n=1)
            guess = f"did you mean {near[0]}?" if near else "set its location if somebody else writes it"
            yield ("tables", table), f"no job or source writes table {table}, {guess}"


def _written(settings: Settings) -> list[str]:
    return list(dict.fromkeys(table for job in settings.glue.jobs.values() for table in job.writes))
