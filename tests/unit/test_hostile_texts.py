"""Texts of services and jobs may be long, malformed or harmful to a terminal."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest

from etltctl.console import Console, Output
from etltctl.errors import LONGEST_TEXT, EtltctlError, bounded
from etltctl.history import Cost, costs, summaries
from etltctl.ledger import DiskStore, Ledger, open_store, read_events
from etltctl.settings import Settings, load_settings

HOSTILE = "\x1b]0;owned\x07\x1b[2J\rok\x9b31m"


def test_no_text_controls_the_terminal_and_no_character_of_it_is_lost() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(plain=True, stdout=out, stderr=err)
    console.error(EtltctlError(f"a job said {HOSTILE}", hint=HOSTILE, line=f"first\n\tsecond {HOSTILE}"))
    console.say(HOSTILE)
    console.warn(HOSTILE)
    console.result({}, HOSTILE)
    console.rows("s", ("c",), [(HOSTILE,)])
    for stream in (out, err):
        text = stream.getvalue()
        assert not set(text) & {"\x1b", "\x07", "\r", "\x9b"}
        assert "owned" in text
        assert "\\u001b" in text or "\\x1b" in text
    assert "\tsecond" in err.getvalue()


def test_output_for_programs_is_left_unchanged() -> None:
    out = io.StringIO()
    Console(output=Output.JSON, stdout=out).result({"text": HOSTILE}, "")
    assert json.loads(out.getvalue())["text"] == HOSTILE


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    error = EtltctlError(f"begin {'x' * 5_000_000} end", fact=f"first {'y' * 5_000_000} last")
    assert error.message.startswith("begin xxx")
    assert error.message.endswith("xxx end")
    assert len(error.message) < LONGEST_TEXT + 100
    err = io.StringIO()
    Console(plain=True, stderr=err).error(error)
    assert len(err.getvalue()) < 3 * LONGEST_TEXT
    assert "yyy last" in err.getvalue()
    assert bounded("short") == "short"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


@pytest.mark.parametrize(
    "change",
    [
        {"ts": "soon"}, {"ts": 5}, {"ts": "2026-01-01T00:00:00"}, {"seq": "x"}, {"usd": "dear"}, {"usd": float("nan")},
        {"step": None},
    ],
)  # fmt: skip
def test_an_unusable_event_is_skipped_with_a_warning_that_names_file_and_line(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture, change: dict[str, object]
) -> None:
    store = DiskStore(tmp_path / "runs")
    for run_id in ("good", "bad"):
        ledger = Ledger(store, run_id, "aws")
        ledger.append("run.started", pipeline="p", steps=["glue:j"])
        ledger.append("cost.actual", "glue:j", usd=0.5)
    event = dict(read_events(store, "bad")[1]) | change
    store.add("bad", lambda _: json.dumps(event) + "\n")
    with caplog.at_level(logging.WARNING):
        assert {run.run_id for run in summaries(settings, 9)} == {"good", "bad"}
        assert [(cost.env, cost.number, cost.usd) for cost in costs(settings, "day")] == [("aws", 2, 1.0)]
        assert costs(settings, "pipeline") == [Cost("p", "aws", 2, 1.0, "actual")]
    (warning,) = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert f"{tmp_path}/runs/bad.ndjson, line 4, was left out: {next(iter(change))}" in warning


def test_only_the_owner_may_read_the_file_of_secret_hashes(tmp_path: Path) -> None:
    store = open_store(str(tmp_path), None, "connections", mode=0o600)  # type: ignore[arg-type]
    old = tmp_path / "connections" / "local.ndjson"
    old.parent.mkdir()
    old.write_text("")
    old.chmod(0o644)
    store.add("local", lambda _: "{}\n")
    assert old.stat().st_mode & 0o777 == 0o600
