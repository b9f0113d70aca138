"""A run has one duration: `run`, `runs watch`, `runs list` and the report show the same, whatever its tries were."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.cli import main
from etltctl.moments import duration_text
from support.lakes import SmallLake
from support.served import Served

QUICK = '[pipelines.quick]\nsteps = ["athena:refresh"]\n'


@pytest.fixture
def command(
    server: Served,
    aws: Aws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """A function that runs a command on a small lake and returns its document."""
    SmallLake(server, aws, tmp_path, QUICK).publish("v1")
    (tmp_path / "none.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETLTCTL_STATE_DIR", str(tmp_path / "state"))

    def run(*words: str) -> Any:
        capsys.readouterr()
        with pytest.raises(SystemExit, match="0"):
            main([*words, "-o", "json"])
        return json.loads(capsys.readouterr().out)

    return run


def test_run_watch_list_and_the_report_show_the_same_time_of_a_run(command: Any) -> None:
    first = command("run", "quick", "--run-id", "one", "--new")["seconds"]
    again = command("run", "quick", "--run-id", "one")["seconds"]
    assert again >= first > 0
    (summary,) = command("runs", "list")["rows"]
    watched = command("runs", "watch", "one")["seconds"]
    page = Path(command("runs", "report", "one", "--no-plots")["path"]).read_text("utf-8")
    took = re.search(r"<dt>Took</dt><dd>([^<]*)</dd>", page)
    assert took is not None
    assert {summary["seconds"], watched} == {again}
    assert took[1] == duration_text(again)


def test_the_time_of_a_step_is_the_same_in_the_record_and_in_the_report(command: Any) -> None:
    (step,) = command("run", "quick", "--run-id", "one", "--new")["steps"]
    page = Path(command("runs", "report", "one", "--no-plots")["path"]).read_text("utf-8")
    row = re.search(r'<tr><th scope="row">athena:refresh[^<]*</th>.*?</tr>', page)
    assert row is not None
    assert f'<td class="tight">{duration_text(step["seconds"])}</td>' in row[0]
