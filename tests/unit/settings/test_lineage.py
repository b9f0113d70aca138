"""Settings of lineage: what is refused, what is a secret, and which columns are declared."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import Settings, load_settings
from etltctl.settings.column_lineage import column_lineage

PROJECT = Path(__file__).parents[3]
JOBS = PROJECT / "glue_jobs"


def load(folder: Path, text: str, **environ: str) -> Settings:
    """Return the settings of a file."""
    (folder / "etltctl.toml").write_text(text)
    return load_settings(config=folder / "etltctl.toml", env="local", environ=environ)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('url = "https://me:pass-3f@lineage.example.com"', "must not have a user or a password in it"),
        ('url = "https://pass-3f@lineage.example.com"', "must not have a user or a password in it"),
        ('url = "ftp://lineage.example.com"', "must be an HTTP address"),
        ('url = "lineage.example.com"', "must be an HTTP address"),
        ('url = "http://[half"', "must be an HTTP address"),
        ('file = "s3://bucket/lineage.ndjson"', "must be a file on this machine"),
    ],
)
def test_a_receiver_that_cannot_be_one_is_refused_without_its_password(
    tmp_path: Path, line: str, reason: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, f"[lineage]\n{line}\n")
    assert reason in error.value.problems[0]
    assert "pass-3f" not in "".join(error.value.problems)


def test_the_key_is_a_secret_and_names_come_from_openlineage_s_variables(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        '[lineage]\nurl = "http://127.0.0.1:5000"\napi_key = "k-3f"\n',
        OPENLINEAGE_NAMESPACE="team",
        OPENLINEAGE_PARENT_ID="ns/job/run",
    )
    shown = {value.key: (value.value, value.origin) for value in settings.values()}
    assert shown["lineage.api_key"][0] == "***"
    assert shown["lineage.namespace"] == ("team", "env OPENLINEAGE_NAMESPACE")
    assert settings.lineage.parent == "ns/job/run"
    assert "k-3f" not in repr(settings)


def test_the_inputs_of_a_column_are_declared_by_the_settings_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "own.py").write_text("")
    (tmp_path / "jobs" / "lineage.toml").write_text('["gold.a"]\nx = ["silver.b.x"]\n["gold.c"]\nx = 1\n')
    job = '[glue.jobs.own]\nscript = "jobs/own.py"\nwrites = ["gold.a", "gold.c", "gold.d", "gold.weather_own"]\n'
    own = '[tables."gold.d".lineage]\nx = ["silver.b.y"]\n'
    settings = load(tmp_path, job + own)
    assert column_lineage(settings, "gold.a") == {"x": ["silver.b.x"]}
    assert column_lineage(settings, "gold.d") == {"x": ["silver.b.y"]}
    assert column_lineage(settings, "gold.unknown") == {}
    with pytest.raises(ConfigurationError, match="must name a list of columns"):
        column_lineage(settings, "gold.c")
    (tmp_path / "jobs" / "lineage.toml").write_text("not toml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        column_lineage(settings, "gold.a")
    (tmp_path / "jobs" / "lineage.toml").unlink()
    assert column_lineage(settings, "gold.a") == {}


@pytest.mark.parametrize("column", ["x", "gold.x", "lead.a.x", "gold.a."])
def test_an_input_is_written_with_its_layer_and_table(tmp_path: Path, column: str) -> None:
    with pytest.raises(ConfigurationError, match="1 problem"):
        load(tmp_path, f'[tables."gold.a".lineage]\nx = ["{column}"]\n')


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The columns of the shipped tables by table, from the texts and the shapes of the jobs themselves."""
    monkeypatch.syspath_prepend(str(JOBS))
    import f1_descriptions
    import f1_records
    import weather_descriptions
    import weather_documents

    assert sys.modules["f1_records"].__file__ == str(JOBS / "f1_records.py")
    tables = {
        table: set(names.split())
        for module in (weather_descriptions, f1_descriptions)
        for table, (_, names) in module.TABLES.items()
    }
    streams = {f"bronze.api_{stream}": set(names) for stream, names in f1_records.COLUMNS.items()}
    streams["bronze.mongodb_observations"] = set(weather_documents.BRONZE.fieldNames())
    of_airbyte = {"_airbyte_extracted_at"}
    return tables | {name: {each.lower() for each in known} | of_airbyte for name, known in streams.items()}


def test_every_column_of_every_shipped_table_names_inputs_that_exist(columns: dict[str, set[str]]) -> None:
    settings = load_settings(config=PROJECT / "etltctl.toml", env="local", environ={})
    written = [table for job in settings.glue.jobs.values() for table in job.writes]
    for job in settings.glue.jobs.values():
        for table in job.writes:
            declared = column_lineage(settings, table)
            assert set(declared) == columns[table], table
            for column, inputs in declared.items():
                for name in inputs:
                    source, _, field = name.rpartition(".")
                    assert source in job.reads, f"{table}.{column}: {name}"
                    assert field in columns[source], f"{table}.{column}: {name}"
    with (JOBS / "lineage.toml").open("rb") as file:
        assert list(tomllib.load(file)) == written


def test_the_settings_of_the_how_to_are_valid(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "how-to" / "follow-lineage.md").read_text("utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    job = '[glue.jobs.sales]\nscript = "sales.py"\nwrites = ["gold.sales_monthly"]\n'
    for block in blocks:
        assert load(tmp_path, job + block)
