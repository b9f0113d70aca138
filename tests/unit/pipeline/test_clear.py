"""The clear of a source before a full sync: where it is refused, and what a start that failed means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etltctl.airbyte.problems import TRY_AGAIN_LATER
from etltctl.errors import AlreadyRunningError, OutcomeUnknownError, ServiceError, UsageError, command
from etltctl.ledger import DiskStore, Ledger
from etltctl.pipeline import RunOptions
from etltctl.pipeline.clear import _why_not_started, require_clearable, sync_fully
from etltctl.settings import Settings, load_settings

AGAIN = command("sync", "mongodb", "--full")


def settings(folder: Path, mode: str) -> Settings:
    flags: dict[str, Any] = {"sources.mongodb.sync_mode": mode}
    return load_settings(flags=flags, env="local", environ={}, directory=folder)


@pytest.mark.parametrize("mode", ["incremental_append", "full_refresh_append"])
def test_a_source_that_appends_can_be_cleared(tmp_path: Path, mode: str) -> None:
    require_clearable("mongodb", settings(tmp_path, mode), RunOptions())


def test_a_source_whose_syncs_replace_each_other_has_nothing_to_reset(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match='sync_mode is "full_refresh_overwrite": every sync reads everything'
    ):
        require_clearable("mongodb", settings(tmp_path, "full_refresh_overwrite"), RunOptions())


def with_record(folder: Path) -> Settings:
    """Return settings of a source that appends, with the run `known` on record."""
    with DiskStore(folder / ".etltctl" / "runs").lease("known"):
        Ledger(DiskStore(folder / ".etltctl" / "runs"), "known", "local").append(
            "run.started", pipeline="mongodb", steps=["sync:mongodb"]
        )
    flags = {"sources.mongodb.sync_mode": "incremental_append", "state": str(folder / ".etltctl")}
    return load_settings(flags=flags, env="local", environ={}, directory=folder)


def test_a_run_that_is_resumed_is_not_cleared_because_its_sync_may_be_reused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a full sync is a new one, and a run was named to resume"):
        sync_fully("mongodb", with_record(tmp_path), RunOptions("known"))


@pytest.mark.parametrize("options", [RunOptions(), RunOptions("another"), RunOptions("known", fresh=True)])
def test_a_sync_that_is_new_may_follow_a_clear(tmp_path: Path, options: RunOptions) -> None:
    require_clearable("mongodb", with_record(tmp_path), options)


def test_a_lost_answer_leaves_the_clear_open_and_may_be_sent_again() -> None:
    error = _why_not_started("mongodb", ServiceError("timeout", is_open=True), AGAIN)
    assert isinstance(error, OutcomeUnknownError)
    assert "it is not known whether Airbyte clears mongodb: timeout" in error.message
    assert "etltctl sync mongodb --full" in str(error.hint)


def test_a_job_that_runs_already_is_named() -> None:
    error = _why_not_started("mongodb", ServiceError("later", code=TRY_AGAIN_LATER), AGAIN)
    assert isinstance(error, AlreadyRunningError)
    assert "nothing was deleted" in error.message


def test_every_other_refusal_stays_as_it_is() -> None:
    refused = ServiceError("no", code="422")
    assert _why_not_started("mongodb", refused, AGAIN) is refused
