"""Tests of the pipeline PIPELINE on embedded endpoints: no AWS account, nothing is billed. Run them: pytest"""

import ast
from pathlib import Path

import pytest

import etltctl
from etltctl.drift import differences
from etltctl.testing import changed, glue_run

HERE = Path(__file__).parents[1]


def test_a_sync_brings_rows_and_proves_that_they_landed(embedded_lake):
    result = etltctl.sync("SOURCE", embedded_lake.settings)
    assert result.facts["rows"] == result.facts["reported_rows"] > 0


def test_what_landed_keeps_its_contract(embedded_lake):
    etltctl.sync("SOURCE", embedded_lake.settings)
    assert differences(embedded_lake.settings, ["TABLE"]) == ([], False)


def test_a_sync_that_reports_rows_nobody_finds_stops_the_run(embedded_lake):
    embedded_lake.script(changed("GET /jobs/*", {"rowsSynced": 1_000_000}))
    with pytest.raises(etltctl.UnverifiedError):
        etltctl.sync("SOURCE", embedded_lake.settings)


def test_a_job_that_waits_for_three_quarters_of_an_hour_and_fails_says_why(embedded_lake, virtual_clock):
    states = ["STARTING"] + ["WAITING"] * 180
    embedded_lake.script(glue_run("JOB", *states, "FAILED", reason="no capacity"))
    with pytest.raises(etltctl.RunFailedError, match="no capacity"):
        etltctl.run_step("PIPELINE", "glue:JOB", run_id="waits", settings=embedded_lake.settings)
    assert virtual_clock.now > 45 * 60


def test_the_pipeline_has_a_dag():
    assert "PIPELINE" in etltctl.load_settings(directory=HERE, env="local").pipelines
    ast.parse((HERE / "dags" / "dag_PIPELINE.py").read_text())
