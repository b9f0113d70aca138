"""From an empty account to tables that can be queried: the installed command works, and unmodified boto3 checks it.

The tests run in this order, and each needs the one before. They run on the embedded server, or with
`ETLTCTL_AWS_CHECKOUT` and `ETLTCTL_AWS_MAX_USD` on a real account (`make aws-test`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.lake_account import Account

pytestmark = pytest.mark.aws

Prove = Callable[[str, str], None]
PIPELINES = ("mongodb", "api")
QUERY_S = 120.0


def job_runs(account: Account) -> set[str]:
    """Return the ids of all Glue runs of the settings' jobs."""
    glue = account.client("glue")
    jobs = {name.split(".")[2] for name in account.settings if name.startswith("glue.jobs.")}
    pages = (page for job in jobs for page in glue.get_paginator("get_job_runs").paginate(JobName=job))
    return {run["Id"] for page in pages for run in page["JobRuns"]}


def newest_run(account: Account, pipeline: str) -> str:
    """Return the id of a pipeline's newest run."""
    return next(run["run"] for run in account.json("runs", "list")["rows"] if run["pipeline"] == pipeline)


def answer(account: Account, sql: str) -> list[list[str]]:
    """Return the rows that Athena returns to boto3."""
    athena = account.client("athena")
    context = {"Database": account.settings["athena.databases.gold"]}
    query = athena.start_query_execution(
        QueryString=sql, QueryExecutionContext=context, WorkGroup=account.settings["athena.workgroup"]
    )["QueryExecutionId"]
    deadline = time.monotonic() + QUERY_S
    while (status := state_of(athena, query)) in {"QUEUED", "RUNNING"} and time.monotonic() < deadline:
        time.sleep(0.2)
    assert status == "SUCCEEDED"
    rows = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"][1:]
    return [[cell.get("VarCharValue", "") for cell in row["Data"]] for row in rows]


def state_of(athena: Any, query: str) -> str:
    """Return the status of a query execution."""
    return str(athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"])


def test_the_stack_is_deployed_and_then_matches_the_settings(account: Account, prove: Prove) -> None:
    account.run("infra", "plan")
    account.run("infra", "deploy")
    account.run("infra", "plan", "--detailed-exitcode")
    (stack,) = account.client("cloudformation").describe_stacks(StackName=account.stack)["Stacks"]
    assert stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    prove("the stack is deployed, and a second plan is empty", f"CloudFormation: {stack['StackStatus']}")


def test_airbyte_has_the_connections_of_the_settings(account: Account, prove: Prove) -> None:
    account.run("connections", "apply", "--yes")
    account.run("connections", "plan", "--detailed-exitcode")
    prove("the connections are made, and a second plan is empty", "Airbyte's answers")


def test_doctor_finds_no_fault(account: Account, prove: Prove) -> None:
    findings = account.json("doctor")["rows"]
    assert [finding for finding in findings if finding["status"] == "fail"] == []
    prove("doctor finds no fault", f"{len(findings)} checks")


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_pipeline_runs_to_its_end_within_the_limit(account: Account, prove: Prove, pipeline: str) -> None:
    left = account.max_usd - account.spent_usd
    account.run("run", pipeline, "--max-usd", f"{left:.2f}", "--yes")
    events = account.json("runs", "show", newest_run(account, pipeline))["rows"]
    (proof,) = (event for event in events if event["type"] == "verify.result")
    assert proof["landed"] >= proof["reported"] > 0
    published = {name for event in events if event["type"] == "publish.switched" for name in event["tables"]}
    assert {name.partition(".")[0] for name in published} >= {"silver", "gold"}
    assert account.spent_usd <= account.max_usd
    prove(
        f"{pipeline}: {proof['landed']} rows proven, {len(published)} tables published",
        f"{account.spent_usd:.4f} USD so far",
    )


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_same_run_again_starts_nothing(account: Account, prove: Prove, pipeline: str) -> None:
    before = job_runs(account)
    account.run("run", pipeline, "--run-id", newest_run(account, pipeline), "--yes")
    assert job_runs(account) == before
    prove(
        f"{pipeline}: the same run id starts nothing again",
        f"Glue: {len(before)} job runs as before",
    )


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ("weather_daily", "wind_speed_mean_ms < 0 or wind_speed_mean_ms > wind_speed_max_ms"),
        ("f1_driver_championship", "points < 0 or driver_id is null"),
    ],
)
def test_gold_can_be_queried_with_a_third_party_client(
    account: Account, prove: Prove, table: str, rule: str
) -> None:
    ((rows, wrong),) = answer(account, f"select count(*), count_if({rule}) from {table}")
    assert int(rows) > 0
    assert int(wrong) == 0
    prove(f"{table}: rows that obey its laws", f"Athena through boto3: {rows} rows")


def test_destroying_the_stack_keeps_the_data(account: Account, prove: Prove) -> None:
    if not account.is_destroyed:
        prove("the stack stays, as asked", "ETLTCTL_AWS_DESTROY is not 1")
        return
    bucket = account.settings["lake.gold"].removeprefix("s3://")
    account.run("infra", "destroy", "--yes")
    kept = account.client("s3").list_objects_v2(Bucket=bucket, MaxKeys=1)["KeyCount"]
    assert kept == 1
    with pytest.raises(ClientError, match="does not exist"):
        account.client("cloudformation").describe_stacks(StackName=account.stack)
    prove("the stack is removed, gold stays", "CloudFormation and S3")
