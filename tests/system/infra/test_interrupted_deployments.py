"""Deployments that fail, lose an answer or are interrupted: rolled back, tried again, resumed."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from etltctl.errors import AlreadyRunningError, BlockedError, RunFailedError
from support.checkout import Checkout
from support.deployed_stack import status
from support.forked import Command
from support.served import wait_until
from support.workplace import ETLTCTL


@pytest.fixture(autouse=True)
def _no_faults_left(deployed: Checkout) -> Iterator[None]:
    yield
    deployed.spoil()


def test_a_creation_that_fails_names_the_first_resource_and_is_rolled_back(newcomer: Checkout) -> None:
    refusal = {"__type": "InvalidRequestException", "Message": "no more, on purpose"}
    newcomer.spoil({"call": "CreateWorkGroup", "refuse": {"status": 400, "body": refusal}})
    failed = newcomer.run("infra", "deploy", "--yes", code=1)
    assert "Workgroup (AWS::Athena::WorkGroup) failed" in failed.stderr
    newcomer.spoil()
    assert "on purpose" in failed.stderr
    assert "etltctl infra destroy --yes && etltctl infra deploy" in failed.stderr
    with pytest.raises(BlockedError, match="lake2 is in ROLLBACK_COMPLETE") as caught:
        newcomer.plan()
    assert "on purpose" in str(caught.value.facts["failed first"])
    assert "etltctl infra destroy --yes" in caught.value.hint
    assert "lake2-gold" not in [one["Name"] for one in newcomer.client("s3").list_buckets()["Buckets"]]
    newcomer.destroy()
    assert newcomer.plan().is_new


def test_an_update_that_fails_leaves_everything_as_it_was_and_can_be_tried_again(deployed: Checkout) -> None:
    before = deployed.client("glue").get_job(JobName="bronze_to_silver")["Job"]["Timeout"]
    deployed.change(
        'script = "glue_jobs/bronze_to_silver.py"',
        'script = "glue_jobs/bronze_to_silver.py"\ntimeout_minutes = 90',
    )
    refusal = {"__type": "InvalidInputException", "Message": "no, on purpose"}
    deployed.spoil({"call": "CreateJob", "refuse": {"status": 400, "body": refusal}})
    with pytest.raises(RunFailedError, match=r"BronzeToSilverJob \(AWS::Glue::Job\) failed") as caught:
        deployed.deploy()
    assert "no, on purpose" in str(caught.value.facts["reason"])
    deployed.spoil()
    deployed.deploy()
    assert deployed.client("glue").get_job(JobName="bronze_to_silver")["Job"]["Timeout"] == 90 != before


def test_a_lost_answer_starts_no_second_update(deployed: Checkout) -> None:
    deployed.change('max_scan = "20GB"', 'max_scan = "10GB"')
    deployed.spoil({"call": "ExecuteChangeSet", "lose": True}, {"call": "CreateChangeSet", "lose": True})
    assert deployed.deploy().status == "UPDATE_COMPLETE"
    events = deployed.client("cloudformation").describe_stack_events(StackName="lake1")["StackEvents"]
    token = events[0]["ClientRequestToken"]
    assert (
        sum(
            e["ResourceStatus"] == "UPDATE_IN_PROGRESS"
            and e["LogicalResourceId"] == "lake1"
            and e["ClientRequestToken"] == token
            for e in events
        )
        == 1
    )


def test_an_interrupted_deployment_is_resumed(deployed: Checkout) -> None:
    script = 'script = "glue_jobs/silver_to_gold_api.py"'
    deployed.change(script, f"{script}\nworkers = 4")
    deployed.spoil({"call": "CreateJob", "hold": "after"})
    process = Command([ETLTCTL, "infra", "deploy", "--yes"], cwd=deployed.folder, env=deployed.full_environ)
    wait_until(lambda: status(deployed) == "UPDATE_IN_PROGRESS", 60)
    process.send_signal(signal.SIGKILL)
    process.wait(120)
    with pytest.raises(AlreadyRunningError, match="is being changed: UPDATE_IN_PROGRESS"):
        deployed.plan()
    deployed.spoil()
    done = deployed.run("infra", "deploy", "--yes")
    assert "SilverToGoldApiJob" in done.stderr
    assert deployed.client("glue").get_job(JobName="silver_to_gold_api")["Job"]["NumberOfWorkers"] == 4
