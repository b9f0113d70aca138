"""Data is UTF-8 in every locale: never a question mark in place of a letter."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = "Córdoba é東"


@pytest.mark.parametrize(
    "locale", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C"}]
)
@pytest.mark.parametrize("output", ["table", "json", "ndjson", "csv"])
def test_a_pipe_gets_utf_8(tmp_path: Path, locale: dict[str, str], output: str) -> None:
    (tmp_path / "etltctl.toml").write_text(f'project = "{NAMES}"\n', "utf-8")
    command = [sys.executable, "-m", "etltctl", "config", "show", "-o", output]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, env={**os.environ, **locale}, check=True
    )
    text = done.stdout.decode("utf-8")
    if output == "json":
        values = [row["value"] for row in json.loads(text)["rows"]]
    elif output == "ndjson":
        values = [json.loads(line)["value"] for line in text.splitlines()]
    elif output == "csv":
        values = [row["value"] for row in csv.DictReader(io.StringIO(text))]
    else:
        values = [line.split("  ")[-1] for line in text.splitlines()]
    assert NAMES in values
