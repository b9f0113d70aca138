"""The log groups of a stack's Glue jobs."""

from __future__ import annotations

from typing import Any

from etltctl.infrastructure.analytics import analytics
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import job_statements, operator_statements
from etltctl.logs import GROUP_PREFIX
from support.checkout import Checkout

OWN = {"/aws-glue/lake1/output", "/aws-glue/lake1/error"}


def test_every_job_writes_to_log_groups_that_only_the_stack_s_jobs_have(deployed: Checkout) -> None:
    """The stack must not own log groups that the whole account shares: its retention would apply to other jobs."""
    glue, logs = deployed.client("glue"), deployed.client("logs")
    names = deployed.settings().glue.jobs
    jobs = [glue.get_job(JobName=name)["Job"] for name in names]
    assert {job["DefaultArguments"][GROUP_PREFIX] for job in jobs} == {"/aws-glue/lake1"}
    groups = logs.describe_log_groups(logGroupNamePrefix="/aws-glue/lake1")["logGroups"]
    assert {group["logGroupName"]: group["retentionInDays"] for group in groups} == dict.fromkeys(OWN, 30)
    assert not logs.describe_log_groups(logGroupNamePrefix="/aws-glue/jobs")["logGroups"]


def test_log_groups_of_an_older_stack_stay_when_the_stack_drops_them(deployed: Checkout) -> None:
    resources = analytics(Names(deployed.settings()))
    groups = [facts for facts in resources.values() if facts["Type"] == "AWS::Logs::LogGroup"]
    assert {facts["Properties"]["LogGroupName"] for facts in groups} == OWN
    assert {facts["UpdateReplacePolicy"] for facts in groups} == {"Retain"}


def test_roles_may_use_these_groups_and_no_other(deployed: Checkout) -> None:
    names = Names(deployed.settings())
    jobs = job_statements(names, list(names.settings.glue.jobs))
    for statements in (operator_statements(names), jobs):
        (logs,) = [each for each in statements if each["Sid"] == "Logs"]
        allowed = {resource["Fn::Sub"].partition(":log-group:")[2] for resource in logs["Resource"]}
        assert allowed == {f"{group}:*" for group in OWN}


def test_another_stack_of_the_account_has_other_groups(deployed: Checkout) -> None:
    other: Any = deployed.settings(infra__stack="lake1-test")
    assert other.log_group_prefix == "/aws-glue/lake1-test"
