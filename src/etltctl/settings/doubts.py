"""The checks of `config validate` beyond those of every command: what fails a run later, or leaks a secret."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from etltctl.errors import guess_text
from etltctl.settings.connector_problems import connector_problems
from etltctl.settings.declared import is_written, unknown_columns, unknown_plot_columns
from etltctl.settings.environments import PREFIX, known_envs
from etltctl.settings.files import read_text
from etltctl.settings.layers import KeyPath, key_places
from etltctl.settings.loader import NAMED_VARIABLES
from etltctl.settings.model import Settings
from etltctl.settings.scripts import syntax_errors
from etltctl.settings.secret_problems import secret_problems
from etltctl.settings.sql_files import query_problems
from etltctl.settings.toml_tables import key_text, leaves

# Variables that etltctl reads by name, those of its tests included.
VARIABLES = {
    "ETLTCTL_CONFIG",
    "ETLTCTL_ENV",
    "ETLTCTL_OUTPUT",
    "ETLTCTL_AIRFLOW_E2E",
    "ETLTCTL_DATA_PACK",
    "ETLTCTL_EVERY_BOUNDARY",
    "ETLTCTL_SCREENSHOTS",
    "ETLTCTL_SEED",
    *NAMED_VARIABLES,
}
# The beginning of every bucket's name in the settings of the sample lake.
SAMPLE_BUCKETS = "pi-m3-"


@dataclass(frozen=True)
class Doubt:
    """One thing that is wrong, or seems so (`is_error`), as `file:line:column: text`."""

    text: str
    is_error: bool = True


def doubts(settings: Settings, environ: Mapping[str, str]) -> list[Doubt]:
    """Return what is wrong with the settings of one environment, and with the variables.

    Args:
        settings: The settings, which load.
        environ: The variables of the process.
    """
    return [
        *map(Doubt, secret_problems(settings)),
        *_regions(settings),
        *_sample_buckets(settings),
        *_columns(settings),
        *_plots(settings),
        *_scripts(settings),
        *_queries(settings),
        *map(Doubt, connector_problems(settings)),
        *_unused(settings),
        *_variables(environ),
    ]


def doubts_of_all(every: Iterable[Settings], environ: Mapping[str, str]) -> list[Doubt]:
    """Return what is wrong with the settings of several environments, each doubt once.

    Args:
        every: The settings of each environment.
        environ: The variables of the process.
    """
    # Most values are the base's, so each environment has the same doubts.
    return list(dict.fromkeys(doubt for settings in every for doubt in doubts(settings, environ)))


def environments(settings: Settings) -> list[str]:
    """Return the names of the environments that the settings file has a table for, the current one left out."""
    if settings.file is None:
        return []
    tables = tomllib.loads(read_text(settings.file)).get("env", {})
    return [name for name in tables if name != settings.env]


def _unused(settings: Settings) -> Iterator[Doubt]:
    """Yield a doubt for each value of the file's base that no environment uses, because every one has another."""
    if settings.file is None:
        return
    text = read_text(settings.file)
    tables = tomllib.loads(text)
    places, of_each = key_places(text), {name: _environment(tables, name) for name in known_envs(tables)}
    for path, _ in leaves({name: value for name, value in tables.items() if name != "env"}):
        if place := places.get(path) if all(_sets(table, path) for table in of_each.values()) else None:
            where = " and ".join(f"[env.{name}]" for name in sorted(of_each))
            yield Doubt(
                f"{settings.file.name}:{place.line}:{place.column}: no environment uses this {key_text(path)}: "
                f"{where} have their own",
                is_error=False,
            )


def _environment(tables: Mapping[str, Any], name: str) -> Any:
    return tables.get("env", {}).get(name, {})


def _sets(table: Any, path: KeyPath) -> bool:
    """Return whether a table has a value at this path, or in place of a table on the way."""
    for name in path:
        if not isinstance(table, Mapping):
            return True
        if name not in table:
            return False
        table = table[name]
    return True


def _regions(settings: Settings) -> Iterator[Doubt]:
    region, known = settings.aws.region, known_regions()
    # Without botocore's data every region would be unknown.
    if region is None or region in known or not known:
        return
    near = difflib.get_close_matches(region, sorted(known), n=2)
    guess = f", did you mean {' or '.join(sorted(near))}?" if near else ""
    yield Doubt(f"{settings.place_of('aws', 'region')}: aws.region: AWS has no region {region}{guess}")


def _sample_buckets(settings: Settings) -> Iterator[Doubt]:
    """Yield a doubt if an environment on AWS has the buckets of the sample lake.

    A bucket's name is unique in all of AWS: the account that made it first has it.
    """
    # Buckets of the embedded server are folders, whose names need to be unique on no other machine.
    if not settings.environment.has_global_buckets:
        return
    lake = settings.lake
    places: dict[tuple[str, ...], str] = {
        ("lake", layer): getattr(lake, layer) for layer in ("bronze", "silver", "gold", "scripts")
    }
    places |= {("athena", "output_location"): settings.athena.output_location, ("state",): settings.state}
    named = [path for path, place in places.items() if place.startswith(f"s3://{SAMPLE_BUCKETS}")]
    if named:
        yield Doubt(
            f"{settings.place_of(*named[0])}: in environment {settings.env}, "
            f"{', '.join(map('.'.join, named))}: buckets called {SAMPLE_BUCKETS}… belong to the account that made "
            "them first: name your own, unless the account is yours",
            is_error=False,
        )


def known_regions() -> set[str]:
    """Return the regions that the installed botocore knows, read from its data without importing it."""
    spec = find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        return set()
    # To import botocore takes longer than all of this check. Its list of regions is one JSON file.
    file = Path(spec.submodule_search_locations[0]) / "data" / "partitions.json"
    try:
        partitions = json.loads(file.read_text("utf-8"))["partitions"]
    except (OSError, ValueError, KeyError):
        return set()
    return {region for partition in partitions for region in partition["regions"]}


def _columns(settings: Settings) -> Iterator[Doubt]:
    """Yield a doubt for each checked column that the table's contract lacks. The next version may add it."""
    for table in settings.tables:
        for column in unknown_columns(settings, table):
            # A similar name is most likely a mistake. If the job's text has the name, the next version may add the
            # column.
            yield Doubt(column.text, is_error=bool(column.guess) and not is_written(column, settings))


def _plots(settings: Settings) -> Iterator[Doubt]:
    """Yield a doubt for each fault of a plot: an error, or a warning if its table's contract lacks a column.

    The column may be in the table all the same, and the report names one that is not.
    """
    yield from map(Doubt, settings.plot_problems)
    for text in unknown_plot_columns(settings):
        yield Doubt(text, is_error=False)


def _scripts(settings: Settings) -> Iterator[Doubt]:
    """Yield a doubt for each syntax error in a script on this machine."""
    for job in settings.glue.jobs:
        yield from map(Doubt, syntax_errors(settings, job))


def _queries(settings: Settings) -> Iterator[Doubt]:
    """Yield a doubt for each fault of a .sql file."""
    for name in settings.sql:
        yield from map(Doubt, query_problems(settings, name))


def _variables(environ: Mapping[str, str]) -> Iterator[Doubt]:
    """Yield a doubt for each variable with etltctl's prefix that it does not read: others may use the prefix."""
    for name in sorted(environ):
        if (
            name.upper().startswith("ETLTCTL_")
            and not name.upper().startswith(PREFIX)
            and not name.startswith("ETLTCTL_TEST_")
            and name not in VARIABLES
        ):
            yield Doubt(
                f"env {name}: etltctl reads no such variable{guess_text(name, VARIABLES)}", is_error=False
            )
