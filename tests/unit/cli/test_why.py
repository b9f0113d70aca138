"""The command `why`: a run or a code, as text or as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etltctl.ledger import DiskStore, Ledger
from support.commands import exit_code_of


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ETLTCTL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    ledger = Ledger(DiskStore(tmp_path / "state" / "runs"), "20261123-0200-mongodb-p3xa", "local")
    ledger.append("run.started", pipeline="mongodb", steps=["glue:silver_to_gold"])
    error = "Glue run jr_4f of silver_to_gold ended FAILED: ZeroDivisionError, ships.py:10"
    ledger.append("step.finished", "glue:silver_to_gold", outcome="failed", seconds=3.0, error=error)
    ledger.append("run.finished", outcome="failed", seconds=4.0)
    return tmp_path


@pytest.mark.usefixtures("state")
def test_the_newest_failed_run_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("why") == 0
    shown = capsys.readouterr().out
    assert "G143" in shown
    assert "ships.py:10" in shown


@pytest.mark.usefixtures("state")
def test_the_end_of_an_id_is_enough_and_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("why", "p3xa", "-o", "json", "--env", "local") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "etltctl.why/1"
    assert document["cause"]["code"] == "G143"
    assert document["next_steps"][-1].startswith("etltctl --env local runs logs")


def test_a_code_is_explained_without_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("why", "--code", "g117") == 0
    shown = capsys.readouterr().out
    assert "G117  Executor out of memory" in shown
    assert "java.lang.OutOfMemoryError: Java heap space" in shown
    assert exit_code_of("why", "--code", "G117", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["retry"] == "no"


@pytest.mark.parametrize("words", [("--code", "X999"), ("a-run", "--code", "G117"), ("--code", "")])
def test_a_wrong_command_line_is_a_usage_error(words: tuple[str, ...]) -> None:
    assert exit_code_of("why", *words) == 2


@pytest.mark.usefixtures("state")
def test_a_run_that_does_not_exist_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("why", "nothing") == 2
    assert "no run is called nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("why",), ("runs", "list"), ("runs", "show"), ("cost",), ("runs", "report", "--no-plots")]
)
@pytest.mark.parametrize("mistake", ["[glue.jobs.x]\nscirpt = 'x.py'\n", "pipelines = [\n"])
def test_a_mistake_in_the_settings_does_not_hide_what_is_on_record(
    state: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], mistake: str
) -> None:
    (state / "etltctl.toml").write_text(mistake)
    assert exit_code_of(*words) == 0
    shown = capsys.readouterr()
    (line,) = [line for line in shown.err.splitlines() if line.startswith("warning: ")]
    assert "etltctl.toml" in line
    assert line.endswith("See: etltctl config validate")
    assert words == ("cost",) or "p3xa" in shown.out or "ships.py:10" in shown.out


@pytest.mark.usefixtures("state")
def test_the_embedded_server_is_ended_with_a_mistake_in_the_settings(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / "etltctl.toml").write_text("[glue.jobs.x]\n")
    assert exit_code_of("local", "down") == 0
    assert exit_code_of("local", "status") == 0
    shown = capsys.readouterr()
    assert "No embedded server was running." in shown.out
    assert shown.err.count("warning: ") == 2


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("code", ["C104", "c104"])
def test_a_code_in_place_of_a_run_is_known_as_one(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("why", code) == 2
    assert "C104 is the code of a cause: etltctl why --code C104" in capsys.readouterr().err
