"""The check of a whole run before its first step: without any one permission the run is refused, and nothing starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.errors import AccessError, BlockedError, EtltctlError
from etltctl.ledger import read_events
from etltctl.local.witness import read_seen
from etltctl.permissions import OCCASIONAL
from etltctl.pipeline import RunOptions, Step, run_alone, run_pipeline
from etltctl.pipeline.services import Services
from support.checkout import Checkout
from support.relay import relayed
from support.simulated import OPEN, Simulation

ROLE = "lake1-operator"
PRINCIPAL = f"arn:aws:iam::123456789012:role/{ROLE}"
PIPELINE = "mongodb"
PAID = {"StartJobRun", "POST /jobs", "StartQueryExecution"}
# Without these a run succeeds, or is refused before it starts anything, when it writes its state and reads secrets.
NOT_CHECKED = {
    "athena:GetWorkGroup", "athena:ListQueryExecutions", "glue:CreateDatabase", "glue:DeleteTable", "glue:GetTables",
    "iam:SimulatePrincipalPolicy", "logs:FilterLogEvents", "logs:GetLogEvents", "s3:DeleteObject",
    "secretsmanager:GetSecretValue", "ssm:GetParameter",
}  # fmt: skip
# Actions that Athena, S3, KMS and the machine perform in the operator's name; etltctl calls none of them.
OF_OTHERS = (
    "AthenaReadsCatalog", "AthenaWritesResultsBuckets", "AthenaWritesResultsObjects", "AthenaReadsGovernedTables",
    "Key", "Extracts", "Bundle", "SessionManager", "Alarm", "OwnVolume",
)  # fmt: skip
CHECKED = {"tables": {"silver.weather_observation": {"keys": ["city_key"]}}}  # so that Athena is called


def policy_of(checkout: Checkout) -> dict[str, Any]:
    """Return the operator's policy as it is deployed."""
    iam = checkout.client("iam")
    document = iam.get_role_policy(RoleName=ROLE, PolicyName=ROLE)["PolicyDocument"]
    return dict(document)


@contextmanager
def without(checkout: Checkout, action: str) -> Iterator[None]:
    """Take an action away from every statement of the operator's policy within the block."""
    iam, policy = checkout.client("iam"), policy_of(checkout)
    statements = [
        {**each, "Action": left}
        for each in policy["Statement"]
        if (left := [name for name in each["Action"] if name != action])
    ]
    put = {"RoleName": ROLE, "PolicyName": ROLE}
    iam.put_role_policy(**put, PolicyDocument=json.dumps({**policy, "Statement": statements}))
    try:
        yield
    finally:
        iam.put_role_policy(**put, PolicyDocument=json.dumps(policy))


@contextmanager
def as_operator(checkout: Checkout, answer_for: Callable[[bytes], bytes | None]) -> Iterator[Checkout]:
    """Lead this process to the account as the operator's role; `answer_for` answers IAM's simulation."""
    assert checkout.account is not None
    key, secret, session = Aws(region="us-east-1").assuming(PRINCIPAL).credentials or ("", "", "")
    with relayed(checkout.account.port, answer_for=answer_for) as url:
        named = {
            "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": session, "AIRBYTE_CLIENT_ID": "me", "AIRBYTE_CLIENT_SECRET": "hush",
        }  # fmt: skip
        other = replace(checkout, environ={**checkout.environ, **named})
        with other.led():
            yield other


def paid_calls(checkout: Checkout) -> int:
    """Return how many calls that cost money the account has received."""
    assert checkout.account is not None
    seen = read_seen(checkout.account.state / "server" / "witness.jsonl")
    return sum(each.operation in PAID for each in seen)


def skipped(checkout: Checkout, run_id: str) -> list[str]:
    """Return why the permissions of a run were not checked, as its events record."""
    events = read_events(Services(checkout.settings()).store, run_id)
    return [event["reason"] for event in events if event["type"] == "preflight.skipped"]


def start(checkout: Checkout, run_id: str) -> EtltctlError:
    """Run a job whose script does not exist; return the error."""
    with pytest.raises(EtltctlError) as raised:
        run_alone(Step.parse("glue:small"), checkout.settings(), RunOptions(run_id=run_id))
    return raised.value


def test_each_missing_permission_is_refused_before_the_first_paid_call(deployed: Checkout) -> None:
    own = [each for each in policy_of(deployed)["Statement"] if each["Sid"] not in OF_OTHERS]
    actions = sorted({action for each in own for action in each["Action"]})
    assert len(actions) > 20
    passed = set()
    before = paid_calls(deployed)
    with as_operator(deployed, Simulation(deployed.client("iam"))) as operator:
        for action in actions:
            if action in NOT_CHECKED | OCCASIONAL:
                passed.add(action)
                continue
            settings = operator.settings(**CHECKED)
            with without(deployed, action), pytest.raises(AccessError) as raised:
                run_pipeline(PIPELINE, settings, RunOptions(run_id=action.replace(":", "-")))
            facts = raised.value.facts
            is_of_sync = action in {"s3:ListBucket", "s3:GetObject"}
            assert facts["step"] == ("sync:mongodb" if is_of_sync else "glue:bronze_to_silver"), action
            assert (facts["principal"], facts["action"]) == (PRINCIPAL, action)
            assert str(facts["resource"]).startswith(f"arn:aws:{action.partition(':')[0]}:")
            assert "nothing was started" in raised.value.message
    assert passed == NOT_CHECKED | OCCASIONAL
    assert paid_calls(deployed) == before


def test_a_query_is_refused_without_the_permission_to_run_it_or_to_write_its_rows(deployed: Checkout) -> None:
    (deployed.folder / "calm.sql").write_text("select city_key from {silver.weather_observation}")
    calm = {"file": "calm.sql", "reads": ["silver.weather_observation"], "writes": "gold.calm"}
    queries = {f"sql__calm__{name}": value for name, value in calm.items()}
    before = paid_calls(deployed)
    with as_operator(deployed, Simulation(deployed.client("iam"))) as operator:
        for action in ("athena:StartQueryExecution", "athena:GetQueryExecution", "s3:PutObject"):
            with without(deployed, action), pytest.raises(AccessError) as raised:
                run_alone(
                    Step.parse("sql:calm"),
                    operator.settings(**queries),
                    RunOptions(run_id=f"q-{action[-9:]}"),
                )
            assert (raised.value.facts["step"], raised.value.facts["action"]) == ("sql:calm", action)
        # The deployed policy allows all of it, so that the next obstacle is the table that was never published.
        with pytest.raises(BlockedError, match=r"silver\.weather_observation has no published version"):
            run_alone(
                Step.parse("sql:calm"), operator.settings(**queries), RunOptions(run_id="allowed-query")
            )
    assert paid_calls(deployed) == before


def test_a_permission_that_only_some_runs_need_is_a_warning(deployed: Checkout) -> None:
    with as_operator(deployed, Simulation(deployed.client("iam"))) as operator:
        nowhere = operator.settings(**CHECKED, airbyte__url="http://127.0.0.1:9")
        with without(deployed, "glue:BatchStopJobRun"), pytest.raises(EtltctlError) as raised:
            run_pipeline(PIPELINE, nowhere, RunOptions(run_id="occasional"))
        assert not isinstance(raised.value, AccessError)
        events = read_events(Services(nowhere).store, "occasional")
    warnings = [event["message"] for event in events if event["type"] == "warning.degraded"]
    assert any(f"{PRINCIPAL} lacks glue:BatchStopJobRun on arn:aws:glue:" in text for text in warnings)


def test_an_incomplete_answer_is_recorded_and_refuses_nothing(deployed: Checkout) -> None:
    empty = "<SimulatePrincipalPolicyResult><EvaluationResults/></SimulatePrincipalPolicyResult>"
    body = f"{OPEN}{empty}</SimulatePrincipalPolicyResponse>".encode()
    with as_operator(deployed, lambda request: body if b"SimulatePrincipal" in request else None) as operator:
        assert not isinstance(start(operator, "unanswered"), AccessError)
        (reason,) = skipped(operator, "unanswered")
    assert reason.startswith("IAM did not answer for ")


def test_the_deployed_policy_allows_every_need_of_every_pipeline(deployed: Checkout) -> None:
    """So the check refuses no operator that the stack created."""
    simulation = Simulation(deployed.client("iam"))
    with as_operator(deployed, simulation) as operator:
        for pipeline in operator.settings().pipelines:
            with pytest.raises(EtltctlError) as raised:  # its Airbyte does not exist
                run_pipeline(pipeline, operator.settings(airbyte__url="http://127.0.0.1:9"))
            assert not isinstance(raised.value, AccessError)
    assert simulation.simulated


def test_a_caller_that_may_not_simulate_runs_unchecked_and_the_reason_is_recorded(
    deployed: Checkout,
) -> None:
    refused = {"status": 403, "body": {"__type": "AccessDenied", "Message": "no"}}
    deployed.spoil({"call": "SimulatePrincipalPolicy", "refuse": refused, "times": 0})
    try:
        with as_operator(deployed, lambda _: None) as operator:
            assert not isinstance(start(operator, "unsimulated"), AccessError)
            (reason,) = skipped(operator, "unsimulated")
    finally:
        deployed.spoil()
    assert "SimulatePrincipalPolicy" in reason


def test_the_owner_of_an_account_is_not_checked(deployed: Checkout) -> None:
    before = simulations(deployed)
    assert not isinstance(start(deployed, "owner"), AccessError)
    assert skipped(deployed, "owner") == []
    assert simulations(deployed) == before


def simulations(checkout: Checkout) -> int:
    """Return how many simulations IAM was asked for."""
    assert checkout.account is not None
    seen = read_seen(checkout.account.state / "server" / "witness.jsonl")
    return sum(each.operation == "SimulatePrincipalPolicy" for each in seen)


@pytest.mark.parametrize(
    ("job", "context", "is_refused"),
    [
        ("implicitDeny", "", True),
        ("explicitDeny", "", True),
        ("allowed", "", False),  # the action's own decision is about other resources too
        ("explicitDeny", "<MissingContextValues><member>aws:SourceIp</member></MissingContextValues>", False),
    ],
)
def test_only_an_unconditional_denial_on_the_resource_refuses_the_run(
    deployed: Checkout, job: str, context: str, is_refused: bool
) -> None:
    arn = "arn:aws:glue:us-east-1:123456789012:job/small"
    result = (
        "<member><EvalActionName>glue:StartJobRun</EvalActionName><EvalDecision>explicitDeny</EvalDecision>"
        f"<ResourceSpecificResults><member><EvalResourceName>{arn}</EvalResourceName>"
        f"<EvalResourceDecision>{job}</EvalResourceDecision>{context}</member></ResourceSpecificResults></member>"
    )
    answer = f"<IsTruncated>false</IsTruncated><EvaluationResults>{result}</EvaluationResults>"
    answer = f"<SimulatePrincipalPolicyResult>{answer}</SimulatePrincipalPolicyResult>"
    body = f"{OPEN}{answer}</SimulatePrincipalPolicyResponse>".encode()
    with as_operator(deployed, lambda request: body if b"SimulatePrincipal" in request else None) as operator:
        error = start(operator, f"decided-{job}-{bool(context)}")
    assert isinstance(error, AccessError) is is_refused
    if is_refused:
        assert (error.facts["action"], error.facts["resource"]) == ("glue:StartJobRun", arn)
        assert f"allow glue:StartJobRun on {arn} to {PRINCIPAL}" in error.hint


def test_the_check_can_be_switched_off(deployed: Checkout) -> None:
    simulation = Simulation(deployed.client("iam"))
    with as_operator(deployed, simulation) as operator:  # noqa: SIM117  the settings are the operator's
        with without(deployed, "glue:StartJobRun"), pytest.raises(EtltctlError) as raised:
            run_alone(
                Step.parse("glue:small"), operator.settings(aws__preflight=False), RunOptions(run_id="off")
            )
    assert not isinstance(raised.value, AccessError)
    assert simulation.simulated == []
