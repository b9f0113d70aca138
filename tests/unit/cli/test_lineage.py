"""The command `runs lineage`, and what the doctor says of lineage, without any service."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from etltctl.diagnosis.config import check_lineage
from etltctl.diagnosis.findings import Finding
from etltctl.diagnosis.probe import Probe
from etltctl.ledger import DiskStore, Ledger
from etltctl.settings import load_settings
from support.commands import exit_code_of
from support.lineage_receiver import faults_of, lineage_receiver
from support.sample_settings import on_sample

STEP = "glue:silver_to_gold"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one run on record."""
    monkeypatch.setenv("ETLTCTL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    ledger = Ledger(DiskStore(tmp_path / "state" / "runs"), "20261123-0200-mongodb-p3xa", "local")
    ledger.append("run.started", pipeline="mongodb", steps=[STEP])
    ledger.append("step.planned", STEP)
    ledger.append("step.finished", STEP, outcome="failed", seconds=3.0, error="broken", cause="G143")
    ledger.append("run.finished", outcome="failed", seconds=4.0)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_events_of_a_run_are_printed_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("runs", "lineage", "p3xa") == 0
    lines = capsys.readouterr().out.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["eventType"] for event in events] == ["START", "START", "FAIL", "FAIL"]
    assert [fault for event in events for fault in faults_of(event)] == []
    assert events[2]["run"]["facets"]["errorMessage"]["message"] == "G143: broken"
    assert len(events[2]["outputs"]) == 6
    assert exit_code_of("runs", "lineage", "-o", "ndjson") == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == events
    assert exit_code_of("runs", "lineage", "-o", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["run"], document["sent"], document["events"]) == (
        "20261123-0200-mongodb-p3xa",
        0,
        events,
    )


def test_the_events_are_sent_to_the_receiver_of_the_settings(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # which does not reach this machine
    with lineage_receiver() as receiver:
        (folder / "etltctl.toml").write_text(on_sample(f'[lineage]\nurl = "{receiver.url}"\n'))
        assert exit_code_of("runs", "lineage", "--send") == 0
        assert "4 events of run 20261123-0200-mongodb-p3xa sent" in capsys.readouterr().out
        assert len(receiver.events) == 4
        receiver.status = 401
        assert exit_code_of("runs", "lineage", "--send") != 0
    assert "4 of 4 lineage events were not sent: 401" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_without_a_receiver_or_the_package_nothing_is_sent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exit_code_of("runs", "lineage", "--send") == 3
    assert "no receiver of lineage events is named" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "openlineage", None)
    assert exit_code_of("runs", "lineage") == 3
    assert "lineage events need the package openlineage-python" in capsys.readouterr().err


def finding(folder: Path, text: str) -> Finding:
    """Return what the doctor finds with these settings."""
    (folder / "etltctl.toml").write_text(text)
    (only,) = check_lineage(Probe(load_settings(config=folder / "etltctl.toml", env="local", environ={})))
    return only


def test_the_doctor_says_where_events_go_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "not asked for" in finding(tmp_path, "").evidence
    to_file = '[lineage]\nfile = "lineage.ndjson"\n'
    assert finding(tmp_path, to_file).evidence == "events go to lineage.ndjson"
    monkeypatch.setenv("OPENLINEAGE_URL", "http://me:pass-3f@127.0.0.1:1")
    refused = finding(tmp_path, to_file)
    assert refused.status == "warn"
    assert "must not have a user or a password" in refused.evidence
    monkeypatch.setitem(sys.modules, "openlineage", None)
    missing = finding(tmp_path, to_file)
    assert missing.evidence == "lineage events need the package openlineage-python"
    assert "lineage" in str(missing.fix)
