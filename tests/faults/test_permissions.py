"""The operator's policy is exactly what the commands call, each on the buckets it is meant for."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from functools import partial

import boto3
import pytest
from spoilt import MET_WITHIN_S, SpoiltLake
from wire import SPECIAL, Call, calls

from etltctl.infrastructure.calls import OPERATOR

pytestmark = pytest.mark.faults

SECRET = "pi-m3/airbyte"


@pytest.fixture(scope="module")
def made(lake: SpoiltLake) -> set[Call]:
    """Every call of one run, one that fails, one that is cancelled, questions and a rollback, with state in S3."""
    told = lake.json("local", "up")["environ"]
    _provide(told)
    environ = {
        **told,
        "AWS_ACCESS_KEY_ID": "operator",  # so that its calls are told from those of the job's script
        "ETLTCTL_ENV": "aws",
        "ETLTCTL__AWS__PROFILE": "",
        "ETLTCTL__AIRBYTE__CLIENT_ID": f"secretsmanager:{SECRET}#client_id",
        "ETLTCTL__AIRBYTE__CLIENT_SECRET": "ssm:/pi-m3/airbyte/secret",
    }
    run = partial(lake.run, **environ)
    run("run", "small", "--run-id", "as-operator")
    run("run-glue", "small", "--wait", "--run-id", "newer")
    run("runs", "logs", "as-operator")
    run("athena", "query", "select count(*) as n from gold.small")
    run("athena", "tables")
    run("athena", "describe", "gold.small")
    run("rollback", "gold.small")
    with lake.slow_script(0, also="raise SystemExit('no, on purpose')"):
        run("run-glue", "small", "--wait", "--run-id", "failing", code=1)
    with lake.slow_script(30):
        run("run-glue", "small", "--run-id", "stopped")
        run("runs", "cancel", "stopped")
    lake.settle()
    _interrupt_a_query(lake, environ)
    return calls(lake.folder / ".etltctl" / "server" / "server.log", "operator")


def test_no_call_is_missing_from_the_operator_s_policy_and_none_is_extra(made: set[Call]) -> None:
    allowed = {name for names in OPERATOR.values() for name in names}
    called = {call.name for call in made}
    assert called - allowed == set(), "add these to etltctl/infrastructure/calls.py"
    assert allowed - called == SPECIAL - called, "take these out of etltctl/infrastructure/calls.py"


def test_objects_of_the_lake_and_of_state_are_all_that_is_touched(made: set[Call]) -> None:
    touched = {call.bucket for call in made if call.bucket}
    assert {"pi-m3-bronze", "pi-m3-gold", "pi-m3-state"} <= touched
    assert touched <= {"pi-m3-bronze", "pi-m3-silver", "pi-m3-gold", "pi-m3-state"}


def _provide(environ: Mapping[str, str]) -> None:
    """What `infra deploy` makes on AWS: the bucket of state, and the secrets with the embedded Airbyte's client."""
    session = {
        "endpoint_url": environ["AWS_ENDPOINT_URL"],
        "region_name": "us-east-1",
        "aws_access_key_id": "somebody",
        "aws_secret_access_key": "else",
    }
    boto3.client("s3", **session).create_bucket(Bucket="pi-m3-state")
    client_id, secret = (environ[f"ETLTCTL__AIRBYTE__CLIENT_{name}"] for name in ("ID", "SECRET"))
    boto3.client("secretsmanager", **session).create_secret(
        Name=SECRET, SecretString=f'{{"client_id": "{client_id}"}}'
    )
    boto3.client("ssm", **session).put_parameter(
        Name="/pi-m3/airbyte/secret", Type="SecureString", Value=secret
    )


def _interrupt_a_query(lake: SpoiltLake, environ: Mapping[str, str]) -> None:
    lake.spoil({"call": "GetQueryExecution", "change": {"State": "RUNNING"}, "times": 0})
    process = lake.begin("athena", "query", "select 1 as one", environ=environ)
    deadline = time.monotonic() + MET_WITHIN_S
    while not lake.met():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait(MET_WITHIN_S)
    lake.spoil()
