"""The doctor on a deployed stack: nothing fails, for an administrator and for the operator."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from etltctl.aws import Aws
from support.checkout import Checkout
from support.relay import relayed
from support.simulated import Simulation

REFUSED = {"status": 403, "body": {"__type": "AccessDeniedException", "Message": "no"}}
AREAS = ("aws", "permissions", "buckets", "glue", "athena")


@pytest.fixture(autouse=True)
def _no_faults_left(deployed: Checkout) -> Iterator[None]:
    yield
    deployed.spoil()


def findings(checkout: Checkout, area: str, **environ: str) -> dict[str, dict[str, Any]]:
    """Return the doctor's findings in an area, by subject."""
    done = checkout.run("doctor", area, "-o", "json", **environ)
    return {row["subject"]: row for row in json.loads(done.stdout)["rows"]}


def as_operator(checkout: Checkout) -> dict[str, str]:
    """Return the environment of a caller that has assumed the operator's role."""
    role = checkout.client("iam").get_role(RoleName="lake1-operator")["Role"]["Arn"]
    key, secret, session = Aws(region="us-east-1").assuming(role).credentials or ("", "", "")
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": session}


def test_every_role_passes_the_doctor_s_permission_checks(deployed: Checkout) -> None:
    """The simulation evaluates the deployed policies, and its requests are as narrow as the grants."""
    assert deployed.account is not None
    simulation = Simulation(deployed.client("iam"))
    with relayed(deployed.account.port, answer_for=simulation) as url:
        other = replace(deployed, environ={**deployed.environ, "AWS_ENDPOINT_URL": url})
        rows = findings(other, "permissions", **as_operator(deployed))
    assert [decision for decision in simulation.simulated if not decision[3]] == []
    assert {decision[0].rpartition("/")[2] for decision in simulation.simulated} == {
        "lake1-operator",
        "lake1-glue",
    }
    assert {row["status"] for row in rows.values()} == {"ok"}
    for subject in ("caller: jobs", "lake1-glue: reads", "lake1-glue: writes", "lake1-glue: logs"):
        assert subject in rows


def test_a_permission_that_a_role_has_lost_is_named(deployed: Checkout) -> None:
    """This shows that the test above can fail."""
    assert deployed.account is not None
    iam = deployed.client("iam")
    policy = iam.get_role_policy(RoleName="lake1-glue", PolicyName="lake1-glue")["PolicyDocument"]
    statements = [one for one in policy["Statement"] if one["Sid"] != "Write"]
    put = {"RoleName": "lake1-glue", "PolicyName": "lake1-glue"}
    iam.put_role_policy(**put, PolicyDocument=json.dumps({**policy, "Statement": statements}))
    try:
        with relayed(deployed.account.port, answer_for=Simulation(iam)) as url:
            other = replace(deployed, environ={**deployed.environ, "AWS_ENDPOINT_URL": url})
            done = other.run("doctor", "permissions", "-o", "json", code=4)
    finally:
        iam.put_role_policy(**put, PolicyDocument=json.dumps(policy))
    rows = {row["subject"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["lake1-glue: writes"]["status"] == "fail"
    assert "s3:PutObject" in rows["lake1-glue: writes"]["evidence"]


@pytest.mark.parametrize("area", AREAS)
def test_a_resource_that_the_operator_may_not_read_is_not_reported_as_broken(
    deployed: Checkout, area: str
) -> None:
    """The operator's role reads no job, role or script, and simulates no other role: a run needs none of that."""
    not_granted = (
        "GetRole",
        "GetJob",
        "SimulatePrincipalPolicy",
        "HEAD /lake1-scripts",
        "GET /lake1-scripts/*",
    )
    operator = as_operator(deployed)
    deployed.spoil(*({"call": call, "refuse": REFUSED, "times": 0} for call in not_granted))
    rows = findings(deployed, area, **operator)
    assert [row for row in rows.values() if row["status"] == "fail"] == []
    unseen = {subject for subject, row in rows.items() if "the caller may not" in row["evidence"]}
    assert unseen == {
        "permissions": {"role lake1-glue"},
        "buckets": {"lake1-scripts"},
        "glue": {f"job {name}" for name in deployed.settings().glue.jobs},
    }.get(area, set())


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("UPDATE_ROLLBACK_FAILED", "fail"),
        ("DELETE_FAILED", "fail"),
        ("ROLLBACK_COMPLETE", "fail"),
        ("UPDATE_ROLLBACK_COMPLETE", "warn"),
        ("UPDATE_IN_PROGRESS", "ok"),
    ],
)
def test_a_stack_that_has_gone_wrong_is_a_finding_with_its_state(
    deployed: Checkout, state: str, status: str
) -> None:
    assert deployed.account is not None

    def spoilt(request: bytes, body: bytes) -> bytes:
        words = rb"<StackStatus>[A-Z_]+</StackStatus>"
        return re.sub(words, f"<StackStatus>{state}</StackStatus>".encode(), body) if request else body

    with relayed(deployed.account.port, spoilt) as url:
        other = replace(deployed, environ={**deployed.environ, "AWS_ENDPOINT_URL": url})
        code = 1 if status == "fail" else 0
        rows = json.loads(other.run("doctor", "aws", "-o", "json", code=code).stdout)["rows"]
    (row,) = [row for row in rows if row["subject"] == "stack lake1"]
    assert (row["status"], state in row["evidence"]) == (status, True)
