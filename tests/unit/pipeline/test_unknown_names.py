"""A name that nothing has: the error says which there are and, of a source, how to add it."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import UsageError
from etltctl.pipeline import Step, run_alone, run_pipeline, unknown_steps
from etltctl.settings import Settings, load_settings

SHIPS = '[sources.ships]\nkind = "airbyte"\nstreams = ["s"]\n'


def settings(folder: Path, text: str) -> Settings:
    (folder / "etltctl.toml").write_text(text)
    return load_settings(directory=folder, environ={}, env="local")


def test_an_unknown_source_names_the_command_that_adds_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no source is called boats") as raised:
        run_alone(Step("sync", "boats"), settings(tmp_path, SHIPS))
    assert raised.value.hint == "known: ships; add it: etltctl source add boats"


def test_a_mistyped_source_is_guessed_instead(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        run_alone(Step("sync", "ship"), settings(tmp_path, SHIPS))
    assert raised.value.hint == "did you mean ships?"


def test_an_unknown_source_of_a_step_names_the_command(tmp_path: Path) -> None:
    loaded = settings(tmp_path, f'{SHIPS}[pipelines.p]\nsteps = ["sync:zebra", "glue:zebra"]\n')
    of_sync, of_job = unknown_steps(loaded)
    assert of_sync.endswith("; add it: `etltctl source add zebra`")
    assert "source add" not in of_job


def test_without_pipelines_an_unknown_one_is_added_with_its_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pipeline is called boats") as raised:
        run_pipeline("boats", settings(tmp_path, ""))
    assert raised.value.hint == "add a source with its pipeline: etltctl source add boats"
