"""Plan and deploy on the embedded account, through the installed command and the library."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etltctl.errors import BlockedError, ConfigurationError
from etltctl.infrastructure import Watcher, deploy
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.template import template_of
from support.checkout import QUICK, Checkout
from support.deployed_stack import is_there, resources
from support.wire import flaws


@pytest.fixture(autouse=True)
def _no_faults_left(deployed: Checkout) -> Iterator[None]:
    yield
    deployed.spoil()


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


def test_the_local_environment_is_refused_because_it_has_no_account(deployed: Checkout) -> None:
    errors = deployed.run("infra", "plan", "--local", code=3).stderr
    assert "has no AWS account" in errors
    assert "etltctl infra plan --env aws" in errors


def test_no_call_of_a_deployment_contradicts_the_services_models(deployed: Checkout) -> None:
    assert deployed.account is not None
    assert flaws(deployed.account.state / "server" / "deployment.jsonl") == set()
