"""Values of the wrong kind: every key either takes a value or reports it with its place, and never anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from etltctl.errors import ConfigurationError
from etltctl.settings import Settings, load_settings
from etltctl.settings.section import MAX_DAYS, MAX_MINUTES
from support.sample_settings import on_sample

ODD = (
    "true", "false", "0", "1", "-1", "1.0", "inf", "nan", "-inf", "1e308", "9" * 18, '""', '" "', '"\\n"', '"x"', '"*"',
    '"' + "9" * 400 + 'GB"', "[]", "{}", '[""]', '["a", "a"]', "[[]]", "[1, 1]", "[{}]", "{a = 1}", "2024-01-01",
    '{a = {}}', '{"" = ""}', '{"gold.a" = {}}',
)  # fmt: skip
# Sections whose names a user chooses need one to stand in for all.
NAMES = {
    "sources": ("mongodb", "api"), "jobs": ("silver_to_gold",), "tables": ("gold.weather_daily",),
    "pipelines": ("api",),
    "datasources": ("d",), "regions": ("r",), "zones": ("z",), "filters": ("f",),
}  # fmt: skip


def models(annotation: Any) -> list[type[BaseModel]]:
    """Return the sections within a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models(part)]


def keys(model: type[BaseModel], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of every key of a section and of the sections in it."""
    every = []
    for name, field in model.model_fields.items():
        every.append((*path, name))
        for inner in models(field.annotation):
            if not str(field.annotation).startswith(("list", "dict")):
                every += keys(inner, (*path, name))
            for chosen in NAMES.get(name, ()):
                every += keys(inner, (*path, name, chosen))
    return list(dict.fromkeys(every))


def written(path: tuple[str, ...], value: str) -> str:
    *table, key = map(json.dumps, path)
    return f"[{'.'.join(table)}]\n{key} = {value}\n" if table else f"{key} = {value}\n"


def load(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "etltctl.toml").write_text(on_sample(text))
    return load_settings(directory=folder, environ=environ)


def is_taken(folder: Path, text: str) -> bool:
    """Return whether the settings are valid and usable; any error but one of the settings is raised."""
    try:
        settings = load(folder, text)
    except ConfigurationError:
        return False
    # A fault of a plot stops no command, but is reported.
    return settings.athena.max_scan_bytes >= 0 and bool(settings.values()) and not settings.plot_problems


def problem(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(folder, text, **environ)
    return error.value.problems[0]


@pytest.mark.parametrize("path", keys(Settings), ids=".".join)
def test_an_odd_value_is_taken_or_reported_and_nothing_else_is_raised(
    tmp_path: Path, path: tuple[str, ...]
) -> None:
    taken = [value for value in ODD if is_taken(tmp_path, written(path, value))]
    assert len(taken) < len(ODD), "some of these values are wrong for any key"


WRONG = {
    "true": ("lake.keep_versions", "infra.monthly_budget_usd", "infra.log_days", "version", "airbyte.client_id"),
    "0": ("protected", "infra.machine", "airflow.deferrable", "athena.workgroup"),
    "inf": (
        "infra.monthly_budget_usd", "prices.athena_tb_usd", "local.linger_minutes",
        "glue.jobs.silver_to_gold.max_usd",
    ),
    "[]": ("glue.jobs.silver_to_gold.role", "athena.workgroup"),
    "{}": ("glue.jobs.silver_to_gold.role", "athena.workgroup"),
    "false": ("glue.jobs.silver_to_gold.role", "athena.workgroup"),
    '""': ("glue.jobs.silver_to_gold.script", "project"),
    '" "': ("airbyte.url", "sources.mongodb.database", "infra.instance_type", "project"),
    '[""]': ("sources.mongodb.collections", 'tables."gold.weather_daily".not_null'),
    '["a", "a"]': ("sources.mongodb.collections", 'tables."gold.weather_daily".keys'),
    "[2023, 2023]": ("sources.api.seasons",),
    '["", "*"]': ("infra.adopt",),
    '["pi-*"]': ("infra.adopt",),
    str(MAX_MINUTES + 1): ("lake.grace_minutes", "airbyte.timeout_minutes", "tableau.timeout_minutes"),
    str(MAX_DAYS + 1): ("lake.keep_unpublished_days", "infra.result_days", "infra.old_version_days"),
    f'"{"9" * 400}GB"': ("athena.max_scan",),
    "5": ("default_env",),
    '["local"]': ("default_env",),
}  # fmt: skip


@pytest.mark.parametrize(("value", "key"), [(value, key) for value, wrong in WRONG.items() for key in wrong])
def test_a_wrong_value_is_reported_with_its_place_and_its_key(tmp_path: Path, key: str, value: str) -> None:
    table, _, name = key.rpartition(".")
    text = problem(tmp_path, f"[{table}]\n{name} = {value}\n" if table else f"{key} = {value}\n")
    assert text.startswith(f"etltctl.toml:{2 if table else 1}:1: {key.replace(chr(34), '')} must ")


@pytest.mark.parametrize(("name", "text"), [("LAKE__KEEP_VERSIONS", "true"), ("DEFAULT_ENV", "5")])
def test_a_variable_is_checked_as_the_file_is(tmp_path: Path, name: str, text: str) -> None:
    place = f"env ETLTCTL__{name}: {name.lower().replace('__', '.')} must be"
    assert problem(tmp_path, "", **{f"ETLTCTL__{name}": text}).startswith(place)


def test_variables_may_spell_truth_as_programs_write_it(tmp_path: Path) -> None:
    settings = load(tmp_path, "", ETLTCTL__PROTECTED="True", ETLTCTL__INFRA__MACHINE="False")
    assert (settings.protected, settings.infra.machine) == (True, False)


def test_a_step_named_twice_is_reported_with_the_place_of_the_steps(tmp_path: Path) -> None:
    steps = '[pipelines.p]\nsteps = ["athena:refresh", "sync:api", "athena:refresh"]\n'
    text = "etltctl.toml:2:1: the step athena:refresh is in pipeline p more than once: remove the others"
    assert problem(tmp_path, steps) == text
