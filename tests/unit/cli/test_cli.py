"""The command line: global flags anywhere, light start-up, exit codes, results on stdout only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from etltctl import errors
from etltctl.cli.app import hoisted
from etltctl.cli.hints import Hints
from etltctl.cli.run_state import facts_line
from etltctl.errors import RETRY, ExitCode, NextStep, command
from support import forked
from support.workplace import ETLTCTL

HEAVY = (
    "boto3",
    "botocore",
    "httpx",
    "pydantic",
    "pyspark",
    "pyarrow",
    "duckdb",
    "moto",
    "rich",
    "tenacity",
    "airflow",
)


def etltctl(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return forked.run([ETLTCTL, *arguments], cwd=cwd, env={**os.environ, **environ}, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "in_order"),
    [
        (["run", "api", "-o", "json"], ["-o", "json", "run", "api"]),
        (["run", "-e", "aws", "api", "-q"], ["-e", "aws", "-q", "run", "api"]),
        (["athena", "query", "--output=json", "--", "-q"], ["--output=json", "athena", "query", "--", "-q"]),
        (["run", "api", "--env"], ["--env", "run", "api"]),
    ],
)
def test_global_flags_are_accepted_after_the_command(arguments: list[str], in_order: list[str]) -> None:
    assert hoisted(arguments) == in_order


def test_commands_of_a_next_step_keep_the_environment_and_file_of_this_command() -> None:
    hints = Hints.leading_to("aws", Path("my own.toml"))
    step = NextStep("read it: ", command("athena", "query", "select 1"), ", then ", RETRY)
    assert hints.spell(step) == (
        "read it: etltctl --env aws --config 'my own.toml' athena query 'select 1', "
        "then etltctl --env aws --config 'my own.toml' retry RUN"
    )
    named = NextStep("compare: ", command("run", "api", "--env=local"))
    assert hints.spell(named) == str(named)
    assert Hints.leading_to(None, None).spell(step) == str(step)
    assert (
        hints.spell("etltctl run api") == "etltctl run api"
    )  # a text has no commands: it may quote anything


def test_the_next_step_names_the_environment_and_file_of_this_command(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("")
    done = etltctl("runs", "show", "nope", "--local", "-c", "mine.toml", cwd=tmp_path)
    assert "next: etltctl --env local --config mine.toml runs list\n" in done.stderr


@pytest.mark.parametrize("arguments", ["'--help'", "'--version'", "'run', '--help'"])
def test_help_and_version_import_no_sdk(arguments: str) -> None:
    code = (
        "import sys\n"
        "from etltctl.cli import main\n"
        f"try: main([{arguments}])\n"
        "except SystemExit as done: assert not done.code, done.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("module", ["etltctl", "etltctl.pipeline", "etltctl.settings", "etltctl.console"])
def test_the_library_imports_no_sdk(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_error_class_is_in_the_tree_with_its_exit_code() -> None:
    tree = errors.__doc__ or ""
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.EtltctlError)]
    shown = {
        line.strip("│├└─ ").split()[0]: int(line.strip("│├└─ ").split()[1])
        for line in tree.splitlines()
        if "Error " in line
    }
    assert shown == {c.__name__: int(c.exit_code) for c in classes}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frobnicate",), "No such command"),
        (("run",), "Missing argument"),
        (("--local", "--aws", "config", "show"), "exclude each other"),
        (("--env", "local", "--aws", "config", "show"), "exclude each other"),
        (("athena", "query", "select 1", "--as", ""), "the value of --as is empty"),
        (("run", "api", "--run-id="), "the value of --run-id is empty"),
        (("config", "show", "--env", ""), "the value of --env is empty"),
        (("-o", "xml", "config", "show"), "xml"),
    ],
)
def test_a_usage_error_exits_2_and_leaves_stdout_empty(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = etltctl(*arguments, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert says in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_an_event_shows_costs_in_dollars_and_leaves_out_empty_values() -> None:
    event = {"type": "cost.actual", "seq": 1, "usd": 5e-05, "remote_id": "q", "reason": "", "retired": []}
    assert facts_line(event) == "usd=0.000050 remote_id=q"
    assert facts_line({**event, "env": "aws"}) == "usd=0.000050 remote_id=q"


def test_an_event_of_this_machine_shows_no_price_because_its_work_costs_nothing() -> None:
    event = {"type": "cost.actual", "seq": 1, "env": "local", "usd": 5e-05, "remote_id": "q"}
    assert facts_line(event) == "remote_id=q"


def test_an_event_shows_each_option_with_its_value() -> None:
    options = {"max_usd": 2.5, "worker_type": "G.2X"}
    event = {"type": "run.started", "seq": 1, "pipeline": "api", "options": options}
    assert facts_line(event) == "pipeline=api options=max_usd:2.5,worker_type:G.2X"


def test_a_bad_output_in_the_environment_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETLTCTL_OUTPUT", "xml")
    done = etltctl("config", "show", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "ETLTCTL_OUTPUT" in done.stderr


@pytest.mark.parametrize(
    ("redirection", "code"),
    [(">&-", 0), ("2>&-", 0), ("| true", 0), ("> /dev/full", 1)],
    ids=str,
)
def test_a_closed_stdout_is_not_reported_as_a_bug(tmp_path: Path, redirection: str, code: int) -> None:
    line = f"set -o pipefail; {sys.executable} -m etltctl config show {redirection}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "bug" not in done.stderr
    assert ("cannot be written to stdout" in done.stderr) is bool(code)


def test_an_encoding_without_the_letters_is_not_reported_as_a_bug(tmp_path: Path) -> None:
    done = etltctl("--help", cwd=tmp_path, PYTHONIOENCODING="latin-1")
    assert done.returncode == 0, done.stderr


def test_a_deleted_working_folder_is_reported(tmp_path: Path) -> None:
    line = f"mkdir x && cd x && rmdir ../x && {sys.executable} -m etltctl config show"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.CONFIGURATION
    assert "the working folder is gone" in done.stderr


def test_parquet_is_an_output_of_queries_alone(tmp_path: Path) -> None:
    for arguments in (["runs", "list", "-o", "parquet"], ["-o", "parquet", "run", "mongodb"]):
        done = etltctl(*arguments, cwd=tmp_path)
        assert done.returncode == ExitCode.USAGE
        assert "athena query is the only command that writes parquet" in done.stderr
