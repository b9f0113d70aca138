"""A table that was never published: the next step names what writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.aws import Aws
from etltctl.errors import BlockedError
from etltctl.publishing import command_writing
from etltctl.settings import load_settings
from support.lakes import SmallLake
from support.served import Served

NO_PIPELINE = '[glue.jobs.alone]\nscript = "alone.py"\nwrites = ["gold.alone"]\n'


@pytest.mark.parametrize(
    ("table", "command"),
    [
        ("silver.weather_observation", "etltctl run mongodb"),
        ("silver.f1_race", "etltctl run api"),
        ("gold.alone", "etltctl run-glue alone"),
    ],
)
def test_the_next_step_names_the_pipeline_or_the_job(
    server: Served, aws: Aws, tmp_path: Path, table: str, command: str
) -> None:
    own = '[athena.databases]\ngold = "never"\nsilver = "never_silver"\n'
    small = SmallLake(server, aws, tmp_path, own + NO_PIPELINE)
    with pytest.raises(BlockedError) as error:
        small.lake.current_location(table)
    assert error.value.hint == f"run the job that writes it first: {command}"


@pytest.mark.parametrize(
    ("table", "expected"),
    [("bronze.api_results", "etltctl run api"), ("gold.strange", "etltctl run PIPELINE")],
)
def test_a_stream_is_written_by_its_source_s_pipeline(table: str, expected: str) -> None:
    assert str(command_writing(table, load_settings(env="local", environ={}))) == expected
