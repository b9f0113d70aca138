"""`why` of the installed command names the line of the script that failed, after the embedded server has ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.sample_settings import on_sample
from support.workplace import Workplace

SCRIPT = """\
import sys
from awsglue.utils import getResolvedOptions

options = getResolvedOptions(sys.argv, ["run_id"])


def knots(miles, hours):
    # A ship that has just left the port has sailed for no time.

    return miles / hours


print("reading", options["run_id"])
knots(12, 0)
"""
PROJECT = """
version = 1

[pipelines.ships]
steps = ["glue:ships"]

[glue.jobs.ships]
script = "jobs/ships.py"
writes = ["silver.ships"]
"""


@pytest.mark.e2e
def test_why_names_file_and_line_of_a_script_without_the_server(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "ships.py").write_text(SCRIPT)
    (tmp_path / "etltctl.toml").write_text(on_sample(PROJECT))
    place = Workplace(tmp_path, {"ETLTCTL_ENV": "local"})
    try:
        failed = place.run_installed("run", "ships", "--run-id", "first-voyage", code=1)
    finally:
        place.run("local", "down")
    head, cause, proof, *_ = failed.stderr[failed.stderr.index("error: ") :].splitlines()
    assert head.startswith("error: Glue run jr_")
    assert (
        cause == "  cause: G143 The script raised ZeroDivisionError (division by zero) at jobs/ships.py:10."
    )
    assert proof.startswith("  proof: ")
    assert "etltctl retry first-voyage" in failed.stderr
    shown = place.run_installed("why").stdout
    assert "Cause   G143  Exception in the script" in shown
    assert "ZeroDivisionError (division by zero) at jobs/ships.py:10" in shown
    assert "jobs/ships.py:10: return miles / hours" in shown
    assert ".etltctl" not in failed.stderr + shown
    assert "Your data is safe" in shown
    document = json.loads(place.run_installed("why", "voyage", "-o", "json").stdout)
    assert document["cause"]["code"] == "G143"
    assert document["step"] == "glue:ships"
