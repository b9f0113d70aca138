"""Jobs that cannot be incremental are refused by name; the operator's role gets what such jobs need, and only then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import ConfigurationError
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import operator_statements
from etltctl.permissions import Requirements
from etltctl.pipeline import GlueStep
from etltctl.settings import Settings, load_settings

JOB = {"script": "job.py", "reads": ["bronze.a"], "writes": ["silver.b"], "incremental": True}
TABLES = {"bronze.a": {"location": "s3://own/a/"}}


def loaded(folder: Path, **changes: Any) -> Settings:
    (folder / "etltctl.toml").write_text('version = 1\nproject = "own"\n')
    flags: Mapping[str, Any] = {"glue.jobs": {"copy": JOB | changes}, "tables": TABLES}
    return load_settings(config=folder / "etltctl.toml", env="aws", environ={}, flags=flags)


def test_a_job_that_reads_what_it_writes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, reads=["bronze.a", "silver.b"])
    assert "incremental job copy reads silver.b, which it writes itself" in str(refused.value.problems)


@pytest.mark.parametrize("side", ["reads", "writes"])
def test_a_job_without_tables_is_refused(tmp_path: Path, side: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, **{side: []})
    assert "incremental job copy needs tables in reads and in writes" in str(refused.value.problems)


def test_a_role_may_look_for_changed_code_where_a_job_is_incremental(tmp_path: Path) -> None:
    def sids(settings: Settings) -> set[str]:
        return {statement["Sid"] for statement in operator_statements(Names(settings))}

    assert sids(loaded(tmp_path)) - sids(loaded(tmp_path, incremental=False)) == {"Definitions", "Scripts"}


def test_the_preflight_asks_for_the_same(tmp_path: Path) -> None:
    def needed(settings: Settings) -> set[tuple[str, str]]:
        required = Requirements(settings, "aws", "us-east-1", "1")
        return {(one.action, one.resource) for one in GlueStep().permissions("copy", (), required)}

    assert needed(loaded(tmp_path)) - needed(loaded(tmp_path, incremental=False)) == {
        ("glue:GetJob", "arn:aws:glue:us-east-1:1:job/copy"),
        ("s3:ListBucket", "arn:aws:s3:::own-scripts"),
        ("s3:ListBucket", "arn:aws:s3:::own"),
        ("s3:PutObject", "arn:aws:s3:::own-silver/b/v=preflight/part-0.parquet"),
        ("s3:AbortMultipartUpload", "arn:aws:s3:::own-silver/b/v=preflight/part-0.parquet"),
    }
