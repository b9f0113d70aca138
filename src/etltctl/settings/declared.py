"""Columns that the rules of tables name, compared with the tables' contracts before a run."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError, guess_text
from etltctl.settings.files import read_text
from etltctl.settings.scripts import files_of_job
from etltctl.settings.sql_files import read_query

if TYPE_CHECKING:
    from etltctl.settings.model import Settings


@dataclass(frozen=True)
class UnknownColumn:
    """A column that a rule names and the table's contract lacks; `guess` names a similar one in it."""

    table: str
    rule: str
    name: str
    guess: str
    place: str

    @property
    def text(self) -> str:
        """The problem in one line, with the place of the setting."""
        setting = f'tables."{self.table}".{self.rule}'
        return f"{self.place}: {setting}: the contract of {self.table} has no column {self.name}{self.guess}"


def unknown_columns(settings: Settings, table: str) -> Iterator[UnknownColumn]:
    """Yield each column that the table's rules name and its contract lacks; none for a table without a contract.

    The next version of the table may add the column: see `is_written`.

    Args:
        settings: The settings.
        table: `layer.table`.
    """
    columns = _contract_columns(settings, table)
    rules = settings.rules(table)
    for rule, names in (("keys", rules.keys), ("not_null", rules.not_null), ("ranges", list(rules.ranges))):
        for name in names:
            # The catalog keeps names in lower case, and so do contracts.
            if columns and name.lower() not in columns:
                place = settings.place_of("tables", table, rule)
                yield UnknownColumn(table, rule, name, guess_text(name, columns), place)


def unknown_plot_columns(settings: Settings) -> Iterator[str]:
    """Yield a problem, with its place, for each column that a plot names and its table's contract lacks."""
    for plot_name, plot in settings.plots.items():
        columns = _contract_columns(settings, plot.table)
        for setting, name in plot.columns.items():
            if columns and (lacks := lacking(name, columns, f"the contract of {plot.table}")):
                yield f"{plot_place(settings, plot_name, setting)}: {lacks}"


def plot_place(settings: Settings, plot_name: str, setting: str) -> str:
    """Return where a setting of a plot stands, and its name."""
    return f"{settings.place_of('plots', plot_name, setting)}: plots.{plot_name}.{setting}"


def lacking(name: str, columns: Collection[str], holder: str) -> str:
    """Return that a holder of columns lacks one, with the nearest name; empty if it has the column.

    Args:
        name: The column, in any case.
        columns: The names of those that the holder has, in lower case.
        holder: What has them, such as a table.
    """
    if name.lower() in columns:
        return ""
    return f"{holder} has no column {name}{guess_text(name.lower(), columns)}"


def is_written(column: UnknownColumn, settings: Settings) -> bool | None:
    """Return whether the job or the query that writes the table may write the column.

    Its script, its modules, its config or its .sql file names the column then, or a table that it reads has it.

    Args:
        column: The column.
        settings: The settings.

    Returns:
        None if neither writes the table, or its script or file is not on this machine.
    """
    writers = [name for name, job in settings.glue.jobs.items() if column.table in job.writes]
    texts = [text for job in writers for text in _texts(settings, job)]
    queries = [name for name, sql in settings.sql.items() if column.table == sql.writes]
    texts += [text for name in queries for text in _query_texts(settings, name)]
    if not texts:
        return None
    # A whole word anywhere in the text is enough: a wrong yes costs a late error, a wrong no would stop a good run.
    word = re.compile(rf"(?<!\w){re.escape(column.name)}(?!\w)", re.IGNORECASE)
    return any(word.search(text) for text in texts)


def _texts(settings: Settings, job: str) -> Iterator[str]:
    """Yield the text of the job's files, its config, and its inputs' columns; none if the script is not here."""
    files = files_of_job(settings, job)
    if not files:
        return
    data = [file for file in settings.extra_files(job) if file.suffix != ".py"]
    for file in [*files, *data]:
        with suppress(OSError):
            yield file.read_text("utf-8", errors="replace")
    # A column may be named in the settings only, as those that a rule of the job's config makes.
    yield json.dumps(settings.glue.jobs[job].config, default=str)
    for table in settings.glue.jobs[job].reads:
        yield " ".join(_contract_columns(settings, table))


def _query_texts(settings: Settings, name: str) -> Iterator[str]:
    """Yield the text of a query and its inputs' columns; none if its file cannot be read."""
    with suppress(ConfigurationError):
        yield read_query(settings, name)
        # `select *` writes every column of its inputs.
        for table in settings.sql[name].reads:
            yield " ".join(_contract_columns(settings, table))


def _contract_columns(settings: Settings, table: str) -> list[str]:
    """Return the columns of the table's contract; none without a contract, or if it cannot be read."""
    try:
        text = read_text(settings.contracts_folder / f"{table}.toml")
        columns: Any = tomllib.loads(text).get("columns")
    except (OSError, ValueError):
        return []
    return [str(name).lower() for name in columns] if isinstance(columns, dict) else []
