"""The columns that each column of a table is made of, as the settings or the file next to the job's script declare."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError
from etltctl.settings.files import read_text

if TYPE_CHECKING:
    from etltctl.settings.model import Settings

FILE = "lineage.toml"  # next to the script of the job that writes the table

ColumnLineage = Mapping[str, Sequence[str]]


def column_lineage(settings: Settings, table: str) -> ColumnLineage:
    """Return for each column of a table the columns that it is made of, as `layer.table.column`.

    `[tables."layer.table".lineage]` counts before the file `lineage.toml` next to the script of the table's job. A
    column without inputs, such as the id of the run, has an empty list.

    Args:
        settings: The settings.
        table: `layer.table`.

    Returns:
        The inputs by column; empty if nothing is declared for the table.

    Raises:
        ConfigurationError: The file is not valid.
    """
    if declared := settings.rules(table).lineage:
        return declared
    job = next((name for name, job in settings.glue.jobs.items() if table in job.writes), None)
    return _declared_in(settings.script_path(job).parent / FILE, table) if job else {}


def _declared_in(file: Path, table: str) -> ColumnLineage:
    try:
        document: dict[str, Any] = tomllib.loads(read_text(file))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    columns = document.get(table, {})
    # People write such files, so nothing of their content is taken for granted.
    if not isinstance(columns, dict) or not all(map(_is_list_of_texts, columns.values())):
        raise ConfigurationError(f'{file}: ["{table}"] must name a list of columns for each column')
    return columns


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
