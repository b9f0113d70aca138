"""Errors as JSON: one object on stderr for each failure, with its code, facts, next commands and exit code."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from etltctl import errors
from etltctl.cli.arguments import named_output
from etltctl.cli.hints import Hints
from etltctl.console import Console
from etltctl.console.layouts import Output
from etltctl.errors import (
    ConfigurationError,
    EtltctlError,
    ExitCode,
    NextStep,
    RunFailedError,
    ServiceError,
    command,
)
from support import forked
from support.workplace import ETLTCTL

PROJECT = Path(__file__).parents[3]
SCHEMA = json.loads((PROJECT / "docs" / "reference" / "schemas" / "error.json").read_text("utf-8"))


def checked(text: str) -> dict[str, Any]:
    document = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return dict(document)


def written(error: BaseException, **settings: Any) -> dict[str, Any]:
    err = io.StringIO()
    console = Console(Output.JSON, stderr=err, spell=Hints(("--env", "aws")).spell, **settings)
    console.error(error) if isinstance(error, EtltctlError) else console.fault(error)
    assert err.getvalue().count("\n") == 1
    return checked(err.getvalue())


def failed(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    done = forked.run([ETLTCTL, *arguments], cwd=folder, env=dict(os.environ), timeout=60)
    return done, checked(done.stderr.splitlines()[-1])


def test_an_error_has_its_facts_and_its_commands_with_the_flags_they_need() -> None:
    hint = NextStep("read it: ", command("runs", "logs", "r 1"), ", then ", command("retry", "r 1"))
    document = written(
        RunFailedError("it failed", hint=hint, run="r 1", rows=3, after=command("runs", "list"))
    )
    assert document == {
        "schema": "etltctl.error/1",
        "code": "failed",
        "service_code": "",
        "class": "RunFailedError",
        "message": "it failed",
        "problems": [],
        "facts": {"run": "r 1", "rows": 3, "after": "etltctl --env aws runs list"},
        "next": {
            "text": "read it: etltctl --env aws runs logs 'r 1', then etltctl --env aws retry 'r 1'",
            "commands": [
                ["etltctl", "--env", "aws", "runs", "logs", "r 1"],
                ["etltctl", "--env", "aws", "retry", "r 1"],
            ],
        },
        "exit_code": 1,
    }


def test_problems_of_the_settings_and_the_code_of_a_service_are_fields() -> None:
    assert written(ConfigurationError("two problems", problems=("a:1 x", "a:2 y")))["problems"] == [
        "a:1 x",
        "a:2 y",
    ]
    assert written(ServiceError("no", code="ThrottlingException", steps=["a", "b"]))["service_code"] == (
        "ThrottlingException"
    )


def test_a_traceback_comes_with_vv_and_a_bug_is_an_object_too() -> None:
    assert "RunFailedError: it failed" in written(RunFailedError("it failed"), verbosity=2)["traceback"]
    bug = written(KeyError("x"), verbosity=2)
    assert (bug["class"], bug["code"], bug["exit_code"]) == ("KeyError", "failed", 1)
    assert "KeyError: 'x'" in bug["traceback"]
    assert "traceback" not in written(KeyError("x"))


@pytest.mark.parametrize("kind", [kind for kind in vars(errors).values() if isinstance(kind, type)])
def test_every_class_of_error_has_a_valid_document(kind: type) -> None:
    if issubclass(kind, EtltctlError):
        assert written(kind("it failed"))["exit_code"] == kind.exit_code


@pytest.mark.parametrize(
    ("arguments", "message", "commands"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean 'run'?", [["etltctl", "--help"]]),
        (["run", "mongodb", "--bogus"], "No such option '--bogus'.", [["etltctl", "run", "--help"]]),
        (["runs", "list", "-n", "0"], "Invalid value for '--limit'", [["etltctl", "runs", "list", "--help"]]),
        (["run", "mongo"], "no pipeline is called mongo", [["etltctl", "-o", "json", "run", "mongodb"]]),
        (["runs", "list", "--env="], "the value of --env is empty", []),
    ],
)
def test_a_wrong_command_line_is_an_object_on_stderr(
    tmp_path: Path, arguments: list[str], message: str, commands: list[list[str]]
) -> None:
    done, document = failed(tmp_path, *arguments, "-o", "json")
    assert (done.returncode, document["exit_code"], document["code"]) == (2, 2, "usage")
    assert document["message"].startswith(message)
    assert document["next"]["commands"] == commands
    assert done.stdout == ""


def test_the_output_is_known_before_the_command_line_is_parsed() -> None:
    assert named_output(["--output=ndjson", "runs", "list"], {}) is Output.NDJSON
    assert named_output(["runs", "list"], {"ETLTCTL_OUTPUT": "json"}) is Output.JSON
    assert named_output(["-o", "table", "runs"], {"ETLTCTL_OUTPUT": "json"}) is Output.TABLE
    assert named_output(["athena", "query", "--", "-o", "json"], {}) is Output.TABLE
    assert named_output(["-o"], {}) is Output.TABLE


def test_an_error_in_a_table_stays_text(tmp_path: Path) -> None:
    done = forked.run([ETLTCTL, "rnu"], cwd=tmp_path, env=dict(os.environ), timeout=60)
    assert done.stderr.startswith("Usage: etltctl")
    assert done.returncode == ExitCode.USAGE
