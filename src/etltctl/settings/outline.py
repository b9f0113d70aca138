"""The steps of a pipeline, read from the settings and not checked: an Airflow DAG file is parsed again and again.

Importing this loads no pydantic. A value comes from the same place as the loader takes it from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etltctl.errors import ConfigurationError, NextStep, UsageError, command, guess_text
from etltctl.settings.environments import PREFIX, chosen_env, known_envs, unknown_env
from etltctl.settings.files import FILE, find_file, project_file, read_text

GOLD = "gold."
# Where the settings of the steps that write tables are, by kind.
SECTIONS = {"glue": ("glue", "jobs"), "sql": ("sql",)}
NO_FILE = (
    "name another with the variable ETLTCTL_CONFIG or the argument config. Every process that parses or runs the DAG "
    "reads the file at this path"
)
CHECK = NextStep("correct it; ", command("config", "validate"), " lists every problem of the file")


@dataclass(frozen=True)
class StepOutline:
    """One step of a pipeline, `kind:name`, and the gold tables that it writes."""

    step: str
    gold: tuple[str, ...] = ()


def pipeline_outline(
    pipeline: str,
    *,
    config: Path | None = None,
    env: str | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> tuple[StepOutline, ...]:
    """Return the steps of a pipeline in their order.

    Args:
        pipeline: The pipeline's name.
        config: As for `load_settings`.
        env: As for `load_settings`.
        environ: As for `load_settings`.
        directory: As for `load_settings`.

    Raises:
        ConfigurationError: The settings file is not there or is not TOML, or it has no such environment or steps.
        UsageError: The settings have no such pipeline. It suggests the nearest name.
    """
    outline = _Outline.read(config, env, os.environ if environ is None else environ, directory or Path.cwd())
    steps = outline.texts("pipelines", pipeline, "steps")
    if steps is None:
        raise outline.lacks(pipeline)
    return tuple(StepOutline(step, tuple(outline.gold(step))) for step in steps)


@dataclass(frozen=True)
class _Outline:
    """The tables of the settings, the strongest first, and the variables above them."""

    file: Path | None
    tables: tuple[Mapping[str, Any], ...]
    environ: Mapping[str, str]
    directory: Path

    @classmethod
    def read(
        cls, config: Path | None, env: str | None, environ: Mapping[str, str], directory: Path
    ) -> _Outline:
        try:
            file = find_file(config, environ, directory)
        except ConfigurationError as error:
            raise ConfigurationError(error.message, hint=NO_FILE) from error
        # A settings file stands alone; without one the sample lake applies.
        own = _read(file or project_file(FILE))
        env = chosen_env(own, env, environ)
        if env not in (known := known_envs(own)):
            raise unknown_env(env, known, file)
        tables = (_table(own, "env", env), own)
        return cls(file, tables, environ, directory)

    def value(self, *path: str) -> Any:
        """Return a value from the first place that has it; None if no place has it."""
        value = self._variable(path)
        for table in self.tables:
            value = _table(table, *path[:-1]).get(path[-1]) if value is None else value
        return value

    def texts(self, *path: str) -> list[str] | None:
        """Return a list of texts, from the first place that has it; None if no place has it.

        Raises:
            ConfigurationError: The value is not a list of texts.
        """
        value = self.value(*path)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            problem = f"{'.'.join(path)} must be a list of texts, got {value!r}"
            raise ConfigurationError(f"{self._place}: {problem}", hint=CHECK)
        return value

    def gold(self, step: str) -> list[str]:
        """Return the gold tables that the settings of the step's job or query name."""
        kind, _, name = step.partition(":")
        if kind not in SECTIONS:
            return []
        written = self.value(*SECTIONS[kind], name, "writes")
        tables = [written] if isinstance(written, str) else written if isinstance(written, list) else []
        return [table for table in tables if isinstance(table, str) and table.startswith(GOLD)]

    def lacks(self, pipeline: str) -> UsageError:
        """Return the error for a pipeline that the settings do not have."""
        known = list(dict.fromkeys(name for table in self.tables for name in _table(table, "pipelines")))
        hint = f"known: {', '.join(known)}; add [pipelines.{pipeline}] to {self._place}"
        if self.file is None:
            hint = (
                f"no {FILE} was found in {self.directory} or above, so the sample lake was read; name the file "
                f"with the variable ETLTCTL_CONFIG or the argument config. {hint}"
            )
        return UsageError(f"{self._place} has no pipeline {pipeline}{guess_text(pipeline, known)}", hint=hint)

    @property
    def _place(self) -> Path | str:
        return self.file or "the sample lake"

    def _variable(self, path: tuple[str, ...]) -> Any:
        """Return the value of the variable that sets the key, as TOML; None if there is none."""
        name = PREFIX + "__".join(path).upper()
        text = next((text for key, text in sorted(self.environ.items()) if key.upper() == name), None)
        if text is None:
            return None
        try:
            return tomllib.loads(f"value = {text}").get("value")
        except tomllib.TOMLDecodeError:
            return text


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(read_text(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {file}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file} is not valid TOML: {error}", hint="correct this place") from error


def _table(data: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the table at this path; an empty one if there is none."""
    table: Any = data
    for name in path:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}
