"""The AWS CLI on operations that the embedded lake does not have: a clean error for every protocol, and its lists."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from support.programs import PROGRAMS, TIMEOUT_S, Clients

pytestmark = [pytest.mark.e2e, pytest.mark.clients, pytest.mark.client("AWS CLI")]

MISSING = {
    "json": "glue get-catalogs",
    "json, of another version": "logs start-query --log-group-name /aws-glue/jobs/output --start-time 0 --end-time 1 "
    "--query-string fields",
    "query": "cloudformation list-stacks",
    "query, of a service that is there": "sts get-federation-token --name guest",
    "rest-json": "lakeformation get-effective-permissions-for-path --resource-arn arn:aws:s3:::pi-m3-gold",
    "rest-xml": "route53 list-traffic-policies",
    "ec2": "ec2 describe-byoip-cidrs --max-results 5",
}


def missing() -> list[Any]:
    """Return each command; its first two words name the operation that is refused."""
    return [
        pytest.param(
            command, marks=pytest.mark.client("AWS CLI", refuses=" ".join(command.split()[:2])), id=protocol
        )
        for protocol, command in MISSING.items()
    ]


@pytest.mark.parametrize("command", missing())
def test_the_aws_cli_reports_an_operation_that_is_not_modelled_once(clients: Clients, command: str) -> None:
    done = subprocess.run(
        [str(PROGRAMS / "aws"), *command.split()],
        cwd=clients.place.folder,
        env=clients.environ,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode in (254, 255), done.stderr  # of version 2 and 1
    assert "(NotImplementedException)" in done.stderr
    assert "reached max retries" not in done.stderr
    assert "<html" not in (done.stdout + done.stderr).lower()


def test_the_aws_cli_lists_the_log_groups_of_jobs_and_searches_tables(clients: Clients) -> None:
    groups = json.loads(clients.aws("logs", "describe-log-groups", "--query", "logGroups[].logGroupName"))
    assert {"/aws-glue/pi-m3/error", "/aws-glue/pi-m3/output"} <= set(groups)
    words = ["--search-text", "pit lane", "--query", "TableList[].Name"]
    assert set(json.loads(clients.aws("glue", "search-tables", *words))) >= {"f1_pit_stats", "f1_pit_stop"}
