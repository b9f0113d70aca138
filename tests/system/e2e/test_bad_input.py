"""Wrong input and failures: each gives one clear message and the right exit code, and leaves earlier data readable."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from support.workplace import Workplace

pytestmark = pytest.mark.e2e
PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (
            ("run", "mongodbb", "--max-usd", "1"),
            ("nothing was started; did you mean mongodb? etltctl ", "run mongodb --max-usd 1\n"),
        ),
        (("sync", "apo"), ("apo", "did you mean api?")),
        (("run-glue", "bronze_to_sliver"), ("bronze_to_sliver", "did you mean bronze_to_silver?")),
        (
            ("athena", "refresh", "gold.weather_dayly"),
            ("gold.weather_dayly", "did you mean gold.weather_daily?"),
        ),
        (("--env", "prod", "config", "show"), ("prod", "known")),
    ],
)
def test_an_unknown_name_is_named_with_the_nearest_one(
    workplace: Workplace, arguments: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    code = 3 if "--env" in arguments else 2
    done = workplace.run(*arguments, code=code)
    assert all(text in done.stderr for text in texts), done.stderr
    assert done.stdout == ""


def test_a_broken_settings_file_is_reported_with_line_and_column(workplace: Workplace) -> None:
    (workplace.folder / "etltctl.toml").write_text('version = 1\n[lake\nbronze = "s3://b"\n')
    done = workplace.run("config", "validate", code=3)
    assert "etltctl.toml:2" in done.stderr


def test_every_wrong_setting_is_reported_at_once(workplace: Workplace) -> None:
    (workplace.folder / "etltctl.toml").write_text(
        '[glue.jobs.bronze_to_silver]\nworkers = "two"\nworker_typ = "G.1X"\n[lakes]\nbronze = "s3://b"\n'
    )
    done = workplace.run("config", "validate", code=3)
    for place in ("etltctl.toml:2", "etltctl.toml:3", "etltctl.toml:4"):
        assert place in done.stderr
    assert "worker_type" in done.stderr


def test_a_taken_port_is_named(workplace: Workplace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = workplace.run("local", "up", code=3, ETLTCTL__LOCAL__PORT=port)
    assert port in done.stderr
    assert "next: set local.port" in done.stderr


def test_an_unreachable_mongodb_fails_the_sync_and_names_the_setting_s_server(served: Workplace) -> None:
    uri = "mongodb://user:tops3cret@127.0.0.1:1/"
    done = served.run("sync", "mongodb", code=1, ETLTCTL__SOURCES__MONGODB__URI=uri)
    assert "127.0.0.1:1" in done.stderr
    assert "tops3cret" not in done.stderr


def test_a_missing_secret_fails_only_the_source_that_uses_it(served: Workplace) -> None:
    environ = {"ETLTCTL__SOURCES__MONGODB__URI": "env:NOT_SET_ANYWHERE"}
    served.run("athena", "query", "select 1", **environ)
    done = served.run("sync", "mongodb", code=3, **environ)
    assert "sources.mongodb.uri is env:NOT_SET_ANYWHERE, but NOT_SET_ANYWHERE is not set" in done.stderr


def test_a_job_s_missing_script_is_looked_for_next_to_the_settings(workplace: Workplace) -> None:
    settings = (PROJECT / "etltctl.toml").read_text().replace("glue_jobs/silver_to_gold.py", "jobs/ships.py")
    (workplace.folder / "etltctl.toml").write_text(settings)
    for command in (("athena", "tables"), ("config", "validate")):
        done = workplace.run(*command, code=3)
        assert f"{workplace.folder}/jobs/ships.py" in done.stderr


def test_a_settings_table_that_appears_twice_is_reported_with_the_fix(workplace: Workplace) -> None:
    settings = (PROJECT / "etltctl.toml").read_text() + '[env.local.sources.mongodb]\nuri = "env:URI"\n'
    (workplace.folder / "etltctl.toml").write_text(settings)
    done = workplace.run("config", "show", code=3)
    assert "twice" in done.stderr
    assert "the table that is there already" in done.stderr


def test_a_missing_collection_is_named_with_the_existing_ones(served: Workplace) -> None:
    done = served.run("run", "mongodb", code=1, ETLTCTL__SOURCES__MONGODB__COLLECTIONS='["nothing_here"]')
    assert "nothing_here" in done.stderr
    assert "it has: observations" in done.stderr


def test_a_sync_that_brings_too_few_rows_is_unverified_and_stops_the_run(served: Workplace) -> None:
    done = served.run("run", "api", code=6, ETLTCTL__SOURCES__API__MIN_ROWS="1000000")
    assert "at least 1000000 are expected" in done.stderr
    assert "sources.api.min_rows" in done.stderr
    steps = [event["step"] for event in served.json("runs", "show")["rows"]]
    assert not any(step.startswith("glue:") for step in steps)


def test_a_script_that_raises_shows_its_last_log_lines_and_leaves_gold_readable(
    sample_lake: Workplace,
) -> None:
    before = sample_lake.query("select count(*) as n from weather_daily")
    script = sample_lake.folder / "raises.py"
    script.write_text('raise ValueError("the wind has turned")\n')
    broken = {"ETLTCTL__GLUE__JOBS__SILVER_TO_GOLD__SCRIPT": str(script)}
    done = sample_lake.run("run-glue", "silver_to_gold", "--wait", code=1, **broken)
    assert "the wind has turned" in done.stderr
    assert "FAILED" in done.stderr
    assert sample_lake.query("select count(*) as n from weather_daily") == before


def test_a_query_that_cannot_run_is_reported_in_athena_s_words(sample_lake: Workplace) -> None:
    for sql, code, hint in (
        ("select * from pi_m3_gold.nothing", "TABLE_NOT_FOUND", "next: etltctl athena tables\n"),
        (
            "select x from weather_daily",
            "COLUMN_NOT_FOUND",
            "next: etltctl athena describe gold.weather_daily\n",
        ),
        ("select ?", "INVALID_PARAMETER", "next: give each ? a value: -p VALUE"),
        ("selec 1", "query REFUSED: line 1:1", "next: line 1, column 1, at selec 1: correct the query"),
    ):
        done = sample_lake.run("athena", "query", sql, code=1)
        assert code in done.stderr
        assert hint in done.stderr


@pytest.mark.parametrize(
    "command", [("athena", "describe"), ("athena", "refresh"), ("rollback",), ("contract", "diff")]
)
def test_a_table_named_without_its_layer_gets_only_the_nearest_name(
    sample_lake: Workplace, command: tuple[str, ...]
) -> None:
    for name in ("weather_daily", "gold.weather_dayly"):
        done = sample_lake.run(*command, name, code=2)
        assert f"is called {name}\n  next: did you mean gold.weather_daily? etltctl " in done.stderr
        assert done.stderr.endswith(f"{' '.join(command)} gold.weather_daily\n")


def test_a_state_folder_that_cannot_be_written_is_named(workplace: Workplace) -> None:
    (workplace.folder / "file").write_text("")
    done = workplace.run("run", "mongodb", code=3, ETLTCTL_STATE_DIR=str(workplace.folder / "file"))
    assert str(workplace.folder / "file") in done.stderr


def test_json_output_of_a_failure_is_not_a_result(workplace: Workplace) -> None:
    done = workplace.run("run", "nothing", "-o", "json", code=2)
    assert done.stdout == ""


def test_config_show_masks_secrets_and_prints_origins(workplace: Workplace) -> None:
    done = workplace.run("config", "show", "-o", "json", ETLTCTL__AIRBYTE__CLIENT_SECRET="tops3cret")
    assert "tops3cret" not in done.stdout
    rows = {row["setting"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["airbyte.client_secret"]["origin"] == "env ETLTCTL__AIRBYTE__CLIENT_SECRET"
    assert rows["athena.workgroup"]["origin"] == "default"
