"""Two projects in one account: both stacks are complete, and neither touches the other's resources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from etltctl.pipeline.services import Services
from support.account import LOOK
from support.checkout import Checkout
from support.served import ACCOUNT, Served, serve


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Yield an account for this module."""
    with serve(tmp_path_factory.mktemp("shared-account"), "--keep", program=ACCOUNT) as served:
        yield served


@pytest.fixture(scope="module")
def sea(account: Served, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return the first project, deployed."""
    return deployed(Checkout.make(tmp_path_factory.mktemp("sea"), account, "sea", prefix="sea-"))


@pytest.fixture(scope="module")
def land(sea: Checkout, account: Served, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return the second project, deployed after the first."""
    return deployed(Checkout.make(tmp_path_factory.mktemp("land"), account, "land", prefix="land-"))


def deployed(checkout: Checkout) -> Checkout:
    """Deploy the checkout's stack."""
    with checkout.led():
        assert checkout.deploy().status == "CREATE_COMPLETE"
    return checkout


def resources(checkout: Checkout) -> dict[str, tuple[str, str]]:
    """Return the type and the physical id of every resource of the stack."""
    client = checkout.client("cloudformation")
    pages = client.get_paginator("list_stack_resources").paginate(StackName=checkout.project)
    return {
        each["LogicalResourceId"]: (each["ResourceType"], each["PhysicalResourceId"])
        for page in pages
        for each in page["StackResourceSummaries"]
    }


def definitions(checkout: Checkout) -> dict[str, Any]:
    """Return the Glue jobs and the roles of the stack as their services describe them."""
    glue, iam = checkout.client("glue"), checkout.client("iam")
    by_name: dict[str, Any] = {}
    for kind, name in resources(checkout).values():
        if kind == "AWS::Glue::Job":
            by_name[name] = glue.get_job(JobName=name)["Job"]
        if kind == "AWS::IAM::Role":
            by_name[name] = iam.get_role_policy(RoleName=name, PolicyName=name)["PolicyDocument"]
    return by_name


def test_the_second_project_s_plan_uses_no_name_of_the_first(sea: Checkout, land: Checkout) -> None:
    named = {
        "AWS::Glue::Job",
        "AWS::Glue::Database",
        "AWS::IAM::Role",
        "AWS::S3::Bucket",
        "AWS::Logs::LogGroup",
    }
    first, second = (
        {physical for kind, physical in resources(project).values() if kind in named}
        for project in (sea, land)
    )
    assert len(first) == len(second) > 10
    assert not first & second
    assert {"sea-bronze_to_silver", "sea_gold", "sea-glue", "sea-gold"} <= first


def test_each_project_sees_its_own_jobs_under_the_short_name(sea: Checkout, land: Checkout) -> None:
    for project in (sea, land):
        with project.led():
            glue = Services(project.settings()).glue
            assert list(glue.job_runs("bronze_to_silver")) == []
        assert f"{project.project}-bronze_to_silver" in definitions(project)


def test_destroying_the_second_leaves_the_first_whole(sea: Checkout, land: Checkout) -> None:
    before, definitions_before = resources(sea), definitions(sea)
    with land.led():
        land.destroy()
    assert resources(sea) == before
    assert definitions(sea) == definitions_before
    for kind, physical in before.values():
        LOOK[kind](sea.client, physical)  # raises an error for a missing resource
    with sea.led():
        assert sea.plan().is_empty
