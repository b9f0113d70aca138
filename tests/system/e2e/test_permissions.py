"""The policies, compared with the calls, reads and writes of both pipelines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import job_statements
from etltctl.local.witness import read_seen
from etltctl.permissions import OPERATOR
from etltctl.settings import load_settings
from support.wire import NEEDS_NO_PERMISSION, calls, flaws
from support.workplace import Workplace

pytestmark = pytest.mark.e2e


def test_both_pipelines_call_nothing_that_the_operator_may_not(sample_lake: Workplace) -> None:
    seen = sample_lake.folder / "first-runs.jsonl"
    called = {call.name for call in calls(seen, sample_lake.keys.access_key_id)}
    assert {"glue:StartJobRun", "glue:CreateTable", "s3:GetObject", "s3:ListObjectsV2"} <= called
    allowed = {name for names in OPERATOR.values() for name in names}
    assert called - NEEDS_NO_PERMISSION <= allowed, "add what is missing to etltctl/infrastructure/calls.py"


def test_both_pipelines_make_no_call_that_contradicts_the_services_models(sample_lake: Workplace) -> None:
    witness = sample_lake.folder / "first-runs.jsonl"
    assert len(read_seen(witness)) > 500
    assert {"airbyte", "athena", "glue", "s3"} <= {call.service for call in read_seen(witness)}
    assert flaws(witness) == set()


def test_the_jobs_call_no_service_of_aws_s_but_s3(sample_lake: Workplace) -> None:
    """The embedded Spark reads folders, so any call of a job would come from its script."""
    seen = read_seen(sample_lake.folder / "first-runs.jsonl")
    assert {call.service for call in seen if call.caller not in ("", sample_lake.keys.access_key_id)} <= {
        "s3"
    }


def test_the_job_role_may_read_and_write_where_the_jobs_did_and_nowhere_else(sample_lake: Workplace) -> None:
    settings = load_settings(config=sample_lake.folder / "etltctl.toml", env="aws", environ={})
    names = Names(settings)
    for role, in_settings in names.job_roles.items():
        jobs = [settings.glue.names.at_glue(job) for job in in_settings]
        statements = {each["Sid"]: each for each in job_statements(names, in_settings)}
        read, written = _places(sample_lake, jobs, "--inputs"), _places(sample_lake, jobs, "--outputs")
        assert written
        assert _buckets(statements["Write"]) == {_bucket(place) for place in written}, role
        assert _buckets(statements["Read"]) == {_bucket(place) for place in read | written}, role
        assert _buckets(statements["List"]) == _buckets(statements["Read"])


def _runs(place: Workplace) -> list[dict[str, Any]]:
    """Return every job run of the lake."""
    folder = place.folder / ".etltctl" / "glue" / "runs"
    return [json.loads(file.read_text()) for file in folder.glob("jr_*.json")]


def _places(place: Workplace, jobs: list[str], argument: str) -> set[str]:
    runs = [run for run in _runs(place) if run["JobName"] in jobs]
    assert {run["JobName"] for run in runs} == set(jobs)
    return {location for run in runs for location in json.loads(run["Arguments"][argument]).values()}


def _bucket(place: str) -> str:
    return place.removeprefix("s3://").partition("/")[0]


def _buckets(statement: dict[str, Any]) -> set[str]:
    return {resource["Fn::Sub"].rpartition(":::")[2].partition("/")[0] for resource in statement["Resource"]}
