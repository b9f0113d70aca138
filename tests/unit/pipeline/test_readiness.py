"""A certain failure stops a run before anything starts: no server, no sync, no job."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import ConfigurationError, ExitCode
from etltctl.infrastructure.uploads import uploads_of
from etltctl.ledger import DiskStore, Ledger, newest_event, read_events
from etltctl.pipeline import (
    RunOptions,
    Step,
    require_ready,
    run_alone,
    run_pipeline,
    run_step,
    start_job,
    unstarted,
)
from etltctl.settings import Settings, load_settings
from support.sample_settings import on_sample

ETLTCTL = Path(sys.executable).with_name("etltctl")
BROKEN = "import sys\n\nif sys.argv:\n    print('no end'\n"
SYNC, SILVER, GOLD = (
    Step("sync", "api"),
    Step("glue", "bronze_to_silver_api"),
    Step("glue", "silver_to_gold_api"),
)


def settings_in(folder: Path, text: str = "", env: str = "local") -> Settings:
    (folder / "etltctl.toml").write_text(on_sample(text))
    return load_settings(directory=folder, env=env, environ={"ETLTCTL_STATE_DIR": str(folder / ".etltctl")})


def etltctl(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETLTCTL", "AWS_"))}
    return subprocess.run(
        [ETLTCTL, *words], cwd=folder, env=kept, capture_output=True, text=True, timeout=60, check=False
    )


def problems_of(settings: Settings, *walk: Step) -> str:
    with pytest.raises(ConfigurationError) as caught:
        require_ready(settings, walk)
    return "\n".join(caught.value.problems)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return a project whose script of `silver_to_gold_api` has a syntax error."""
    (tmp_path / "glue_jobs").mkdir()
    (tmp_path / "glue_jobs" / "silver_to_gold_api.py").write_text(BROKEN)
    text = '[glue.jobs.silver_to_gold_api]\nscript = "glue_jobs/silver_to_gold_api.py"\n'
    (tmp_path / "etltctl.toml").write_text(on_sample(text))
    return tmp_path


def contract(folder: Path, table: str, *columns: str) -> None:
    file = folder / ".etltctl" / "contracts" / f"{table}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[columns]\n" + "".join(f'{name} = "string"\n' for name in columns))


@pytest.mark.parametrize("words", [("run", "api"), ("run-glue", "silver_to_gold_api")], ids=" ".join)
def test_a_syntax_error_stops_a_command_before_the_server_starts(
    broken: Path, words: tuple[str, ...]
) -> None:
    done = etltctl(broken, *words)
    assert done.returncode == ExitCode.CONFIGURATION
    file = broken / "glue_jobs" / "silver_to_gold_api.py"
    assert "error: nothing was started: the run would fail\n  etltctl.toml:2:1: glue.jobs." in done.stderr
    assert f"{file}:4:10: '(' was never closed: print('no end'" in done.stderr
    assert "next: correct it" in done.stderr
    assert not (broken / ".etltctl").exists()


def test_config_validate_reports_a_syntax_error_too(broken: Path) -> None:
    done = etltctl(broken, "config", "validate")
    assert done.returncode == ExitCode.CONFIGURATION
    assert "'(' was never closed" in done.stderr


def test_a_command_that_does_not_run_the_script_is_not_stopped(broken: Path) -> None:
    settings = load_settings(directory=broken, env="local", environ={})
    require_ready(settings, [SYNC, SILVER])


@pytest.mark.parametrize(
    "call",
    [
        lambda settings: run_pipeline("api", settings),
        lambda settings: run_alone(GOLD, settings),
        lambda settings: start_job(GOLD, settings),
        lambda settings: run_step("api", str(SYNC), run_id="dag-1", settings=settings),
        lambda settings: run_step("api", str(GOLD), run_id="dag-1", settings=settings),
        lambda settings: run_alone(GOLD, settings, RunOptions(run_id="earlier")),
    ],
    ids=["run_pipeline", "run_alone", "start_job", "first task", "own task", "resumed"],
)
def test_the_library_starts_and_records_nothing(broken: Path, call: Callable[[Settings], Any]) -> None:
    settings = load_settings(
        directory=broken, env="local", environ={"ETLTCTL_STATE_DIR": str(broken / ".etltctl")}
    )
    with pytest.raises(ConfigurationError, match="nothing was started"):
        call(settings)
    assert list((broken / ".etltctl").rglob("*.ndjson")) == []


def test_only_modules_that_the_script_imports_are_compiled(
    tmp_path: Path,
) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "mine.py").write_text("def f():\n    from rates import RATES\n")
    (tmp_path / "jobs" / "rates.py").write_text("import deeper\n")
    (tmp_path / "jobs" / "deeper.py").write_text("return 1\n")
    (tmp_path / "jobs" / "draft.py").write_text("def (\n")
    settings = settings_in(tmp_path, '[glue.jobs.mine]\nscript = "jobs/mine.py"\nrole = "R"\n')
    problems = problems_of(settings, Step("glue", "mine"))
    assert "deeper.py:1:1: 'return' outside function" in problems
    assert "draft.py" not in problems


@pytest.mark.parametrize(
    "text", [b"print('\\d')\n", b"# coding: latin-1\nx = '\xe9'\n", b"x = 1 if True else 2\n"]
)
def test_a_script_that_python_runs_with_a_warning_is_not_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "mine.py").write_bytes(text)
    settings = settings_in(tmp_path, '[glue.jobs.mine]\nscript = "mine.py"\nrole = "R"\n')
    require_ready(settings, [Step("glue", "mine")])


@pytest.mark.parametrize(
    "job",
    [
        'script = "s3://elsewhere/mine.py"',
        'script = "not/here.py"',
        'script = "mine.py"\nglue_version = "9.0"',
    ],
    ids=["in S3", "not at hand", "a newer Python"],
)
def test_on_aws_a_script_that_cannot_be_checked_here_is_not_refused(tmp_path: Path, job: str) -> None:
    (tmp_path / "mine.py").write_text("syntax of tomorrow !\n")
    settings = settings_in(tmp_path, f"[env.aws.glue.jobs.mine]\n{job}\n", env="aws")
    require_ready(settings, [Step("glue", "mine")])


def test_on_aws_a_local_script_is_compiled_before_a_paid_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(BROKEN)
    settings = settings_in(tmp_path, '[env.aws.glue.jobs.mine]\nscript = "mine.py"\n', env="aws")
    assert "'(' was never closed" in problems_of(settings, Step("glue", "mine"))


def test_every_unset_secret_of_a_run_is_named_with_its_place(tmp_path: Path) -> None:
    settings = settings_in(
        tmp_path,
        '[env.aws.airbyte]\nclient_id = "env:NO_ID_HERE"\nclient_secret = "file:/no/such"\n'
        '[env.aws.tableau]\ntoken_secret = "ssm:/tableau"\ntoken_name = "env:NO_TOKEN_HERE"\n',
        env="aws",
    )
    problems = problems_of(settings, SYNC, Step("tableau", "any"))
    assert (
        "etltctl.toml:2:1: airbyte.client_id is env:NO_ID_HERE, but NO_ID_HERE is not set; export" in problems
    )
    assert "etltctl.toml:3:1: airbyte.client_secret is file:/no/such, but the file cannot be read" in problems
    assert "etltctl.toml:6:1: tableau.token_name is env:NO_TOKEN_HERE" in problems
    assert "ssm:" not in problems


@pytest.mark.parametrize("rule", ["keys", "not_null", "ranges"])
def test_a_rule_s_column_that_neither_contract_nor_script_has_is_refused(tmp_path: Path, rule: str) -> None:
    contract(tmp_path, "gold.f1_pit_stats", "season", "driver_id")
    value = "{ driver_idd = { min = 1 } }" if rule == "ranges" else '["season", "driver_idd"]'
    settings = settings_in(tmp_path, f'[tables."gold.f1_pit_stats"]\n{rule} = {value}\n')
    assert problems_of(settings, GOLD) == (
        f'etltctl.toml:2:1: tables."gold.f1_pit_stats".{rule}: the contract of gold.f1_pit_stats has no column '
        "driver_idd, did you mean driver_id?"
    )


def test_a_column_that_the_job_is_about_to_add_is_not_refused(tmp_path: Path) -> None:
    contract(tmp_path, "gold.mine", "season")
    (tmp_path / "mine.py").write_text("frame.withColumn('seasons', lit(1))\n")
    text = '[glue.jobs.mine]\nscript = "mine.py"\nrole = "R"\nwrites = ["gold.mine"]\n'
    settings = settings_in(tmp_path, text + '[tables."gold.mine"]\nkeys = ["SEASON", "seasons"]\n')
    require_ready(settings, [Step("glue", "mine")])


@pytest.mark.parametrize("known_by", ["config", "input"])
def test_a_column_that_the_job_may_pass_on_is_not_refused(tmp_path: Path, known_by: str) -> None:
    contract(tmp_path, "gold.mine", "season")
    contract(tmp_path, "silver.mine", "season", *(["tyre"] if known_by == "input" else []))
    (tmp_path / "mine.py").write_text("copy(every_column)\n")
    config = 'config = { columns = ["tyre"] }\n' if known_by == "config" else ""
    text = f'[glue.jobs.mine]\nscript = "mine.py"\nwrites = ["gold.mine"]\nreads = ["silver.mine"]\n{config}'
    settings = settings_in(tmp_path, text + '[tables."gold.mine"]\nkeys = ["tyre"]\n')
    require_ready(settings, [Step("glue", "mine")])


def test_a_script_with_a_syntax_error_is_not_uploaded(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(BROKEN)
    settings = settings_in(tmp_path, '[env.aws.glue.jobs.mine]\nscript = "mine.py"\n', env="aws")
    with pytest.raises(ConfigurationError, match="a script cannot run; nothing was changed"):
        uploads_of(settings)


def test_a_table_without_a_contract_is_not_checked(tmp_path: Path) -> None:
    require_ready(settings_in(tmp_path, '[tables."gold.f1_pit_stats"]\nkeys = ["nothing"]\n'), [GOLD])


@pytest.mark.parametrize(
    ("events", "fresh", "starts"),
    [
        ([], False, True),
        ([("remote.started", {"remote_id": "jr_1"})], False, False),
        (
            [("remote.started", {"remote_id": "jr_1"}), ("step.finished", {"outcome": "succeeded"})],
            False,
            False,
        ),
        (
            [("remote.started", {"remote_id": "jr_1"}), ("step.finished", {"outcome": "succeeded"})],
            True,
            True,
        ),
        ([("remote.started", {"remote_id": "jr_1"}), ("step.finished", {"outcome": "failed"})], False, True),
        (
            [("remote.started", {"remote_id": "jr_1"}), ("step.finished", {"outcome": "detached"})],
            False,
            False,
        ),
    ],
    ids=["new", "runs", "succeeded", "fresh", "failed", "detached"],
)
def test_steps_that_a_resumed_run_adopts_or_reuses_are_not_checked(
    tmp_path: Path, events: list[tuple[str, dict[str, Any]]], fresh: bool, starts: bool
) -> None:
    store = DiskStore(tmp_path)
    ledger = Ledger(store, "r1", "local")
    for type_, facts in events:
        ledger.append(type_, str(GOLD), **facts)
    last = partial(newest_event, read_events(store, "r1"))
    assert unstarted([GOLD], last, fresh=fresh) == ([GOLD] if starts else [])
