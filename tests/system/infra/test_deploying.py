"""Plan, deploy and destroy on the embedded account, through the installed command and the library."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError

from etltctl.errors import AlreadyRunningError, BlockedError, ConfigurationError, RunFailedError
from etltctl.infrastructure import Watcher, deploy, send_test_alarm
from etltctl.infrastructure.calls import DEPLOYER, DEPLOYER_OF_NEW_NAMES
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.template import template_of
from support.account import LOOK, a_reader_of_alarms
from support.checkout import QUICK, SMALL, Checkout, recorded
from support.forked import Command
from support.served import wait_until
from support.workplace import ETLTCTL

SECRET = "lake1/airbyte"


@pytest.fixture(autouse=True)
def _no_faults_left(deployed: Checkout) -> Iterator[None]:
    yield
    deployed.spoil()


def resources(checkout: Checkout) -> dict[str, tuple[str, str]]:
    """Return type and physical id of the stack's resources by logical id."""
    pages = (
        checkout.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=checkout.project)
    )
    return {
        one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"])
        for page in pages
        for one in page["StackResourceSummaries"]
    }


def status(checkout: Checkout) -> str:
    """Return CloudFormation's status of the stack."""
    answer = checkout.client("cloudformation").describe_stacks(StackName=checkout.project)
    return str(answer["Stacks"][0]["StackStatus"])


def is_there(checkout: Checkout, kind: str, name: str) -> bool:
    try:
        return bool(LOOK[kind](checkout.client, name))
    except (ClientError, LookupError, TypeError):  # None if a record is missing
        return False


def test_every_logical_id_exists_according_to_its_service(deployed: Checkout) -> None:
    declared = template_of(Names(deployed.settings()))["Resources"]
    deployed_resources = resources(deployed)
    assert set(deployed_resources) == set(declared)
    missing = [
        name
        for name, (kind, physical) in deployed_resources.items()
        if not is_there(deployed, kind, physical)
    ]
    assert missing == []


def test_the_scripts_and_the_bundle_are_where_the_stack_points(deployed: Checkout) -> None:
    s3, glue = deployed.client("s3"), deployed.client("glue")
    job = glue.get_job(JobName="silver_to_gold")["Job"]
    arguments = job["DefaultArguments"]
    named = [
        job["Command"]["ScriptLocation"],
        arguments["--extra-py-files"],
        *arguments["--extra-files"].split(","),
    ]
    for location in named:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] > 100
    bundle = deployed.client("ssm").get_parameter(Name="/lake1/airflow/bundle")["Parameter"]["Value"]
    assert s3.head_object(Bucket="lake1-scripts", Key=bundle)["ContentLength"] > 100


def test_resources_that_match_the_settings_are_left_alone(deployed: Checkout) -> None:
    assert "Nothing to do" in deployed.run("infra", "plan", "--detailed-exitcode").stderr
    assert deployed.deploy().is_nothing


def test_a_changed_setting_gives_a_plan_with_reasons_that_is_carried_out_as_reviewed(
    deployed: Checkout,
) -> None:
    deployed.change(
        'script = "glue_jobs/silver_to_gold.py"', 'script = "glue_jobs/silver_to_gold.py"\nworkers = 3'
    )
    for _ in range(2):  # a plan that was declined is not reviewed
        with pytest.raises(BlockedError, match="this plan has not been reviewed"):
            deployed.deploy(yes=False)
    assert deployed.client("glue").get_job(JobName="silver_to_gold")["Job"]["NumberOfWorkers"] == 2
    done = deployed.run("infra", "plan", "--detailed-exitcode", "-o", "ndjson", code=10)
    assert '"change": "~ modify", "resource": "SilverToGoldJob"' in done.stdout
    assert "NumberOfWorkers" in done.stdout
    assert "UPDATE_COMPLETE" in deployed.run("infra", "deploy").stdout
    assert deployed.client("glue").get_job(JobName="silver_to_gold")["Job"]["NumberOfWorkers"] == 3


def test_a_plan_that_was_not_reviewed_is_carried_out_if_the_caller_confirms_it(deployed: Checkout) -> None:
    plans: list[object] = []

    def confirm(plan: object) -> bool:
        plans.append(plan)
        return True

    settings = deployed.settings(athena__max_scan="15GB")
    done = deploy(settings, Watcher(waiter=QUICK, confirm=confirm))
    assert (done.status, done.changes > 0, len(plans)) == ("UPDATE_COMPLETE", True, 1)
    deployed.deploy()


def test_a_dry_run_says_what_would_change_and_changes_nothing(deployed: Checkout) -> None:
    before = resources(deployed)
    removal = deployed.run("infra", "destroy", "--dry-run")
    assert "  - remove  SilverToGoldJob" in removal.stdout
    assert "  = keep    GoldBucket" in removal.stdout
    assert "would stay." in removal.stdout
    assert "Nothing to do" in deployed.run("infra", "deploy", "--dry-run").stderr
    assert resources(deployed) == before


def test_a_changed_dag_changes_only_the_bundle(deployed: Checkout) -> None:
    (deployed.folder / "dags").mkdir()
    (deployed.folder / "dags" / "dag.py").write_text("pass\n")
    plan = deployed.plan()
    assert [(c.action, c.resource) for c in plan.changes] == [("modify", "AirflowBundleName")]
    assert plan.changes[0].because == ("Value through AirflowBundle",)
    done = deployed.deploy()
    assert (done.changes, done.files) == (1, 1)
    bundle = deployed.client("ssm").get_parameter(Name="/lake1/airflow/bundle")["Parameter"]["Value"]
    assert deployed.client("s3").head_object(Bucket="lake1-scripts", Key=bundle)


@pytest.mark.parametrize(
    ("setting", "value", "change"),
    [
        ("athena.output_location", "s3://lake1-elsewhere/", "replace ResultsBucket"),
        ("lake.gold", "s3://lake1-other-gold", "replace GoldBucket"),
        ("state", ".etltctl", "remove StateBucket"),
        ("infra.key_arn", "arn:aws:kms:us-east-1:123456789012:key/0", "remove Key"),
    ],
)
def test_a_plan_that_would_orphan_data_is_refused(
    deployed: Checkout, setting: str, value: str, change: str
) -> None:
    before = resources(deployed)
    with pytest.raises(BlockedError, match="readers would lose sight of data") as caught:
        deployed.deploy(**{setting.replace(".", "__"): value})
    assert change in str(caught.value)
    assert resources(deployed) == before


def test_a_plan_that_would_replace_databases_prints_the_setting_that_keeps_them(deployed: Checkout) -> None:
    with pytest.raises(BlockedError, match="replace GoldDatabase") as caught:
        deployed.plan(athena__databases={"silver": "sea", "gold": "lake"})
    pasted = 'databases = { silver = "lake1_silver", gold = "lake1_gold" }'
    assert caught.value.hint == f"write into etltctl.toml, under [athena]: {pasted}"


@pytest.mark.parametrize(
    ("setting", "value"), [("infra.image", "ami-0123456789abcdef0"), ("infra.instance_type", "huge")]
)
def test_a_parameter_that_aws_refuses_is_named_by_its_setting(
    deployed: Checkout, setting: str, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"AWS refuses {setting} = '{value}'"):
        deployed.plan(**{setting.replace(".", "__"): value})


def test_the_machine_keeps_its_image_although_a_newer_one_exists(deployed: Checkout) -> None:
    deployed.spoil({"call": "GetParameter", "change": {"Value": "ami-785db401"}, "times": 0})
    assert deployed.plan().changes == ()


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


def test_the_local_environment_is_refused_because_it_has_no_account(deployed: Checkout) -> None:
    errors = deployed.run("infra", "plan", "--local", code=3).stderr
    assert "has no AWS account" in errors
    assert "etltctl infra plan --env aws" in errors


def secret_of(checkout: Checkout) -> str:
    """Return the value of Airbyte's secret; empty if no one has set it."""
    secrets = checkout.client("secretsmanager")
    if not secrets.describe_secret(SecretId=SECRET).get("VersionIdsToStages"):
        return ""
    return str(secrets.get_secret_value(SecretId=SECRET)["SecretString"])


# The commands that a refusal gives to paste.
LINES = re.compile(r'adopt = (\[[^]]*\]) and key_arn = "([^"]+)"')


@dataclass(frozen=True)
class Rebuilt:
    """The observations of a stack that was destroyed and deployed again."""

    plan: str
    key: str
    key_arn: str
    removed: set[str]
    kept: set[str]
    imported: set[str]
    secrets: tuple[str, ...]
    calls: frozenset[str]


@pytest.fixture(scope="module")
def rebuilt(deployed: Checkout) -> Rebuilt:
    """Destroy the stack and deploy it again; record every call that etltctl makes for it."""
    deployed.client("s3").put_object(Bucket="lake1-gold", Key="t/v=1/part-0.parquet", Body=b"data")
    (deployed.folder / "README.md").write_text("another bundle\n")
    errors = deployed.run("infra", "destroy", code=5).stderr
    before = resources(deployed)
    secrets = deployed.client("secretsmanager")
    secrets.put_secret_value(SecretId=SECRET, SecretString="mine")
    with recorded() as calls:
        deployed.destroy()
        remaining = {name for name, (kind, physical) in before.items() if is_there(deployed, kind, physical)}
        again = deployed.run("infra", "destroy", "--yes").stdout
        assert again == "There is no stack lake1; nothing was changed.\n"
        with pytest.raises(BlockedError, match="did not make what has these names already") as refused:
            deployed.deploy()
        adopt, key = LINES.findall(refused.value.hint)[0]
        deployed.change(SMALL, f"{SMALL}\n[infra]\nadopt = {adopt}\n")
        with pytest.raises(BlockedError, match="the stack would make a new key") as second_key:
            deployed.deploy()
        deployed.change("[infra]\n", f'[infra]\nkey_arn = "{key}"\n')
        plan = deployed.plan()
        deployed.deploy()
        assert deployed.plan().is_empty
        values = [secret_of(deployed)]
        for how, state in (
            ({"RecoveryWindowInDays": 7}, "scheduled for deletion"),
            ({"ForceDeleteWithoutRecovery": True}, "missing"),
        ):
            secrets.delete_secret(SecretId=SECRET, **how)
            assert SECRET in deployed.plan().summary()
            assert deployed.deploy().secret == state
            values.append(secret_of(deployed))
        with a_reader_of_alarms(deployed):
            send_test_alarm(deployed.settings())
    imported = {change.resource for change in plan.changes if change.action == "import"}
    removed = set(before) - remaining
    assert f'set infra.key_arn = "{key}" in etltctl.toml' in second_key.value.hint
    assert second_key.value.facts["bucket lake1-gold"] == key
    return Rebuilt(
        errors, before["Key"][1], str(key), removed, remaining, imported, tuple(values), frozenset(calls)
    )


def test_destroying_lists_what_goes_and_what_stays_before_it_is_confirmed(rebuilt: Rebuilt) -> None:
    assert "= keep    GoldBucket" in rebuilt.plan
    assert "= keep    AirbyteSecret" in rebuilt.plan
    assert "- remove  SilverToGoldJob" in rebuilt.plan
    assert "removal of stack lake1 was not confirmed" in rebuilt.plan


def test_destroying_keeps_the_data_its_key_and_its_catalog(rebuilt: Rebuilt) -> None:
    assert {"GoldBucket", "StateBucket", "Key", "GoldDatabase"} <= rebuilt.kept
    assert rebuilt.secrets == ("mine", "mine", "")  # kept, restored from its deletion, created again
    assert {"SilverToGoldJob", "OperatorRole", "Workgroup", "AirflowBundleName"} <= rebuilt.removed


def test_deploying_again_imports_the_resources_that_stayed(deployed: Checkout, rebuilt: Rebuilt) -> None:
    assert {"GoldBucket", "GoldDatabase", "GlueErrorLogs"} <= rebuilt.imported
    assert rebuilt.key_arn.endswith(f":key/{rebuilt.key}")  # the refusal names the key that stayed
    answer = deployed.client("s3").get_object(Bucket="lake1-gold", Key="t/v=1/part-0.parquet")
    assert answer["Body"].read() == b"data"


def test_no_call_is_missing_from_the_deployer_s_policy_and_none_is_extra(rebuilt: Rebuilt) -> None:
    assert rebuilt.calls == {name for names in DEPLOYER.values() for name in names} | set(
        DEPLOYER_OF_NEW_NAMES
    )
