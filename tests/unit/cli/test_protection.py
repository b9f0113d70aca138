"""Consent at the front door: commands that change a protected environment ask, and without a terminal need --yes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from etltctl.cli.app import _run, hoisted
from etltctl.cli.protection import confirmed, require_choice, require_consent
from etltctl.cli.session import Session
from etltctl.console import Console
from etltctl.errors import BlockedError, ExitCode
from etltctl.querying import is_read
from etltctl.settings import load_settings
from support.sample_settings import on_sample

SETTINGS = """
[pipelines.races]
steps = ["sync:api"]

[pipelines.small]
steps = ["athena:refresh"]

[glue.jobs.small]
script = "small.py"
writes = ["gold.small"]

[env.prod]
protected = true
state = "state"
"""
RUN = "20260101-0000-small-k7qf"
ACTIONS = {
    ("run", "small"): ("run pipeline small", "run small --yes"),
    ("backfill", "races", "--start", "2023", "--end", "2024"): (
        "backfill pipeline races",
        "backfill races --start 2023 --end 2024 --yes",
    ),
    ("sync", "api"): ("sync source api", "sync api --yes"),
    ("run-glue", "small", "--wait"): ("run Glue job small", "run-glue small --wait --yes"),
    ("retry",): (f"retry run {RUN}", f"retry {RUN} --yes"),
    ("retry", "k7qf"): (f"retry run {RUN}", "retry k7qf --yes"),
    ("runs", "cancel"): (f"cancel run {RUN}", f"runs cancel {RUN} --yes"),
    ("rollback", "gold.small", "--to", "v1"): (
        "roll gold.small back to v1",
        "rollback gold.small --to v1 --yes",
    ),
    ("athena", "query", "drop table gold.small"): (
        "run a statement that is not a read",
        "athena query 'drop table gold.small' --yes",
    ),
    ("tableau", "publish", "small.py"): (
        "publish small.py to Tableau",
        "tableau publish small.py --yes",
    ),
    ("tableau", "refresh", "small"): ("refresh small in Tableau", "tableau refresh small --yes"),
    ("athena", "refresh", "--", "gold.small"): (
        "refresh gold.small",
        "athena refresh --yes -- gold.small",
    ),
}


class Terminal(io.StringIO):
    """A stream that a person reads, or types into."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a protected environment, in which one run has failed; no service of it can be reached."""
    (tmp_path / "etltctl.toml").write_text(on_sample(SETTINGS))
    (tmp_path / "small.py").write_text("")
    (tmp_path / "state" / "runs").mkdir(parents=True)
    common = {"ts": "2026-01-01T00:00:00Z", "run_id": RUN, "step": "", "env": "prod"}
    events = [
        {"type": "version", "schema": "etltctl.events/1.0"},
        {**common, "type": "run.started", "seq": 1, "pipeline": "small", "steps": ["athena:refresh"]},
        {**common, "type": "run.finished", "seq": 2, "outcome": "failed", "seconds": 1.0},
    ]
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (tmp_path / "state" / "runs" / f"{RUN}.ndjson").write_text(lines)
    for name in ("AIRBYTE_API_CONNECTION_ID", "AIRBYTE_CLIENT_ID", "AIRBYTE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "any")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outcome(*words: str) -> tuple[int, str]:
    """Return the exit code of the command without a terminal, and what it wrote to stderr."""
    stderr = io.StringIO()
    code = _run(hoisted(list(words)), Session(Console(stderr=stderr)))
    return code, stderr.getvalue()


@pytest.mark.parametrize("words", ACTIONS, ids=" ".join)
def test_a_command_that_changes_a_protected_environment_needs_yes_where_no_one_can_be_asked(
    project: Path, words: Sequence[str]
) -> None:
    before = sorted(project.rglob("*"))
    action, again = ACTIONS[tuple(words)]
    code, stderr = outcome("--env", "prod", *words)
    assert code == ExitCode.BLOCKED
    assert (
        f"error: environment prod is protected, and it was not confirmed to {action}; nothing was" in stderr
    )
    assert stderr.endswith(f"next: if you mean it: etltctl --env prod {again}\n")
    assert sorted(project.rglob("*")) == before


def test_a_watch_asks_before_it_starts_the_steps_after_the_live_one(project: Path) -> None:
    file = project / "state" / "runs" / f"{RUN}.ndjson"
    live = "".join(file.read_text().splitlines(keepends=True)[:-1])  # its process died before the first step
    file.write_text(live)
    code, stderr = outcome("--env", "prod", "runs", "watch")
    assert code == ExitCode.BLOCKED
    assert f"it was not confirmed to start athena:refresh of run {RUN}; nothing was" in stderr
    assert stderr.endswith(f"next: if you mean it: etltctl --env prod runs watch {RUN} --yes\n")
    assert file.read_text() == live


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("select 1", True),
        ("-- drop\n/* insert */ (SELECT 1) UNION SELECT 2", True),
        ("with a as (select 1) select * from a", True),
        ("values 1", True),
        ("TABLE gold.small", True),
        ("show tables", True),
        ("describe gold.small", True),
        ("explain insert into t values 1", True),
        ("explain analyze (format json) select 1", True),
        ("explain analyze verbose insert into t values 1", False),
        ("insert into t select 1", False),
        ("/* select */ merge into t using s on true when matched then delete", False),
        ("create table t as select 1", False),
        ("unload (select 1) to 's3://b/' with (format = 'PARQUET')", False),
        ("execute prepared", False),
        ("", False),
    ],
)
def test_a_statement_is_a_read_by_its_first_word(sql: str, reads: bool) -> None:
    assert is_read(sql) is reads


def test_a_command_that_only_reads_a_protected_environment_asks_nothing(project: Path) -> None:
    assert outcome("runs", "show", "--env", "prod")[0] == ExitCode.OK
    assert outcome("config", "validate", "--env", "prod")[0] == ExitCode.OK


@pytest.mark.parametrize(("answer", "agrees"), [("y", True), ("yes", True), ("n", False), ("", False)])
def test_a_person_at_a_terminal_is_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, answer: str, agrees: bool
) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer + "\n"))
    session = Session(Console(stderr=stderr), words=("run", "small"))
    settings = load_settings(env="prod")
    if agrees:
        require_consent(session, settings, "run pipeline small", yes=False)
    else:
        with pytest.raises(BlockedError):
            require_consent(session, settings, "run pipeline small", yes=False)
    assert stderr.getvalue().strip() == "Environment prod is protected. Run pipeline small? [y/n]"


@pytest.mark.parametrize(("answer", "agrees"), [("y", True), ("n", False), ("", False)])
def test_the_newest_run_is_not_cancelled_without_a_question(
    monkeypatch: pytest.MonkeyPatch, answer: str, agrees: bool
) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer + "\n"))
    session = Session(Console(stderr=stderr))
    choose = partial(require_choice, session, f"cancel run {RUN} of small, the newest", RUN, yes=False)
    if agrees:
        choose(is_named=False, is_protected=False)
    else:
        with pytest.raises(BlockedError):
            choose(is_named=False, is_protected=False)
    assert stderr.getvalue().strip() == f"No run was named. Cancel run {RUN} of small, the newest? [y/n]"


@pytest.mark.parametrize(("is_named", "is_protected"), [(True, False), (False, True)])
def test_a_run_that_was_named_or_asked_for_before_needs_no_second_question(
    is_named: bool, is_protected: bool
) -> None:
    stderr = Terminal()
    session = Session(Console(stderr=stderr))
    require_choice(session, "cancel run r", "r", yes=False, is_named=is_named, is_protected=is_protected)
    assert stderr.getvalue() == ""


def test_the_newest_run_is_not_cancelled_where_no_one_can_be_asked(project: Path) -> None:
    file = project / "etltctl.toml"
    file.write_text(file.read_text().replace("protected = true", "protected = false"))
    code, stderr = outcome("--env", "prod", "runs", "cancel", "--reason", "wrong month")
    assert code == ExitCode.BLOCKED
    assert f"it was not confirmed to cancel run {RUN} of small, the newest; nothing was stopped" in stderr
    again = f"etltctl --env prod runs cancel --reason 'wrong month' {RUN}"
    assert stderr.endswith(f"next: if you mean this run: {again}\n")
    assert outcome("--env", "prod", "runs", "cancel", "--yes")[0] == ExitCode.OK


def test_yes_agrees_beforehand_and_an_open_environment_asks_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal())
    session = Session(Console(stderr=stderr))
    require_consent(session, load_settings(env="prod"), "run pipeline small", yes=True)
    require_consent(session, load_settings(env="local"), "run pipeline small", yes=False)
    assert stderr.getvalue() == ""


def test_the_consent_stands_in_front_of_words_that_are_only_arguments() -> None:
    assert confirmed(("athena", "refresh", "--", "-x")).words == ("athena", "refresh", "--yes", "--", "-x")
