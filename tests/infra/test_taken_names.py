"""What the account holds already and a stack would trip over: the plan refuses it before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from checkout import Checkout, recorded
from served import serve

from etltctl.errors import BlockedError
from etltctl.infrastructure.calls import DEPLOYER_OF_GOVERNED
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import deployer_statements
from etltctl.settings import load_settings

GOVERNED: dict[str, Any] = {"governance__zones": {"curated": {"layers": ["gold"], "hybrid": True}}}
LOCATION = "arn:aws:s3:::lake4-gold"
OTHER_ROLE = "arn:aws:iam::123456789012:role/SomebodyElses"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout that is deployed to an account of its own and governs nothing."""
    with serve(tmp_path_factory.mktemp("account"), "--keep") as account:
        checkout = Checkout.make(tmp_path_factory.mktemp("lake"), account, "lake4")
        with checkout.led():
            checkout.deploy()
            yield checkout


def _stack_status(checkout: Checkout) -> str:
    stacks = checkout.client("cloudformation").describe_stacks(StackName=checkout.project)["Stacks"]
    return str(stacks[0]["StackStatus"])


def test_a_location_that_is_registered_already_is_refused_with_its_role_and_the_command_that_frees_it(
    lake: Checkout,
) -> None:
    formation, before = lake.client("lakeformation"), _stack_status(lake)
    formation.register_resource(ResourceArn=LOCATION, RoleArn=OTHER_ROLE)
    with recorded() as calls, pytest.raises(BlockedError, match="registered already") as caught:
        lake.deploy(**GOVERNED)
    assert _stack_status(lake) == before
    assert set(DEPLOYER_OF_GOVERNED) <= calls
    assert caught.value.facts == {LOCATION: f"registered with {OTHER_ROLE}"}
    command = f"aws lakeformation deregister-resource --resource-arn {LOCATION} && etltctl infra plan"
    assert caught.value.hint.startswith(command)

    formation.deregister_resource(ResourceArn=LOCATION)
    lake.deploy(**GOVERNED)
    (location,) = formation.list_resources()["ResourceInfoList"]
    assert (location["ResourceArn"], location["RoleArn"].rpartition("/")[2]) == (
        LOCATION,
        "lake4-lake-formation",
    )
    assert lake.plan(**GOVERNED).is_empty  # the stack's own registration is not in its way


def test_the_deployer_of_a_governed_lake_may_ask_for_the_locations() -> None:
    zones = {"governance.zones": {"curated": {"layers": ["gold"]}}}
    names = Names(load_settings(env="aws", environ={}, flags=zones))
    statements = [one for one in deployer_statements(names) if one["Resource"] == ["*"]]
    assert list(DEPLOYER_OF_GOVERNED) in [one["Action"] for one in statements]
