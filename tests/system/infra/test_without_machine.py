"""A stack without a machine, from a folder that is not a checkout; and the names, sizes and costs in a plan."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.sizes import monthly_costs
from etltctl.infrastructure.template import template_of
from etltctl.settings import load_settings
from support.checkout import Checkout
from support.served import ACCOUNT, serve


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Yield a folder with only settings, and a separate account."""
    with serve(tmp_path_factory.mktemp("other-account"), "--keep", program=ACCOUNT) as account:
        checkout = Checkout.make(tmp_path_factory.mktemp("outside"), account, "lake3")
        shutil.rmtree(checkout.folder / "deploy")
        text = (checkout.folder / "etltctl.toml").read_text()
        (checkout.folder / "etltctl.toml").write_text(f"{text}\n[env.aws.infra]\nmachine = false\n")
        with checkout.led():
            yield checkout


def test_a_stack_without_a_machine_is_planned_and_deployed_without_a_checkout(outside: Checkout) -> None:
    planned = json.loads(outside.run("infra", "plan", "-o", "json").stdout)
    services = {row["type"].split("::")[1] for row in planned["rows"]}
    assert {"Athena", "Events", "Glue", "IAM", "KMS", "S3", "SNS"} <= services
    assert not {"EC2", "SSM"} & services
    assert "AWS::IAM::InstanceProfile" not in {row["type"] for row in planned["rows"]}
    assert planned["monthly_usd"] == {"key, secret and alarms": pytest.approx(1.5)}
    assert outside.deploy().status == "CREATE_COMPLETE"
    assert outside.plan().is_empty
    assert outside.client("ec2").describe_instances()["Reservations"] == []
    uploaded = outside.client("s3").list_objects_v2(Bucket="lake3-scripts")["Contents"]
    assert {one["Key"].split("/")[0] for one in uploaded} == {"glue_jobs"}


def test_neither_role_has_a_permission_for_a_machine(outside: Checkout) -> None:
    iam = outside.client("iam")
    for role in ("lake3-operator", "lake3-deployer"):
        policy = json.dumps(iam.get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"])
        assert not any(
            word in policy for word in ("ec2:", "ssmmessages:", "ssm:PutParameter", "instance-profile")
        )
    trust = iam.get_role(RoleName="lake3-operator")["Role"]["AssumeRolePolicyDocument"]
    assert "ec2.amazonaws.com" not in json.dumps(trust)


def test_a_stack_with_a_machine_names_the_checkout_it_needs_and_the_setting_that_avoids_it(
    outside: Checkout,
) -> None:
    with pytest.raises(ConfigurationError, match="its image is built from etltctl's own sources") as caught:
        outside.plan(infra__machine=True)
    assert "infra.machine = false" in caught.value.hint


def test_a_plan_lists_the_resources_with_their_size_and_cost(newcomer: Checkout) -> None:
    done = newcomer.run("infra", "plan", "-o", "json")
    planned = json.loads(done.stdout)
    rows = {row["resource"]: row for row in planned["rows"]}
    assert rows["GoldBucket"]["id"] == "lake2-gold"
    assert rows["AirflowMachine"]["size"] == "t3.large"
    assert rows["AirflowVolume"]["size"] == "40 GB gp3"
    assert rows["SilverToGoldJob"]["size"] == "2 × G.1X, at most 45 min"
    assert planned["monthly_usd"]["machine t3.large"] == pytest.approx(60.7, abs=0.1)
    assert "about 71 US dollars a month" in done.stderr


def test_a_machine_without_a_known_price_is_reported(tmp_path: Path) -> None:
    flags = {"infra.instance_type": "x99.large"}
    names = Names(load_settings(env="aws", environ={}, flags=flags, directory=tmp_path))
    costs = {cost.part: cost.usd for cost in monthly_costs(names, template_of(names))}
    assert costs["machine x99.large"] is None
