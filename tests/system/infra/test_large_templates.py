"""A template that is too large for one call: CloudFormation reads it from the scripts bucket of the stack."""

from __future__ import annotations

import pytest

from etltctl.errors import ConfigurationError
from etltctl.infrastructure.template import MOST_BYTES
from support.checkout import Checkout

MANY = {f"glue__jobs__more_{number:02}": {"script": "small.py"} for number in range(8)}


def test_a_new_stack_is_refused_with_the_size_because_its_bucket_does_not_exist_yet(
    newcomer: Checkout,
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"has 5\d,\d{3} bytes, and CloudFormation takes 51,200 of a new"
    ):
        newcomer.plan(**MANY)


def test_a_stack_that_has_its_bucket_is_planned_and_deployed_from_there(deployed: Checkout) -> None:
    plan = deployed.plan(**MANY)
    assert len(plan.blueprint.body.encode()) > MOST_BYTES
    added = {change.id for change in plan.changes if change.action == "add"}
    assert added == {name.rpartition("__")[2] for name in MANY}
    (template,) = deployed.client("s3").list_objects_v2(Bucket="lake1-scripts", Prefix="cloudformation/")[
        "Contents"
    ]
    assert template["Size"] == len(plan.blueprint.body.encode())
    assert deployed.deploy(yes=False, **MANY).status == "UPDATE_COMPLETE"
    assert deployed.client("glue").get_job(JobName="more_07")["Job"]["Name"] == "more_07"
    deployed.deploy()
