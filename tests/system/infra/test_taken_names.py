"""Resources of the account that would make a deployment fail: the plan is refused before anything is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from etltctl.errors import BlockedError, ConfigurationError
from etltctl.infrastructure.calls import DEPLOYER_OF_GOVERNED
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import deployer_statements
from etltctl.settings import load_settings
from support.checkout import SMALL, Checkout, recorded
from support.served import ACCOUNT, serve

GOVERNED: dict[str, Any] = {"governance__zones": {"curated": {"layers": ["gold"], "hybrid": True}}}
LOCATION = "arn:aws:s3:::lake4-gold"
OTHER_ROLE = "arn:aws:iam::123456789012:role/SomebodyElses"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Yield a checkout without governance that is deployed to a separate account."""
    with serve(tmp_path_factory.mktemp("account"), "--keep", program=ACCOUNT) as account:
        checkout = Checkout.make(tmp_path_factory.mktemp("lake"), account, "lake4")
        with checkout.led():
            checkout.deploy()
            yield checkout


def _stack_status(checkout: Checkout) -> str:
    stacks = checkout.client("cloudformation").describe_stacks(StackName=checkout.project)["Stacks"]
    return str(stacks[0]["StackStatus"])


def test_a_registered_location_is_refused_with_its_role_and_the_command_that_frees_it(
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
    assert lake.plan(**GOVERNED).is_empty  # the stack's registration is not an obstacle


def test_the_deployer_of_a_governed_lake_may_ask_for_the_locations() -> None:
    zones = {"governance.zones": {"curated": {"layers": ["gold"]}}}
    names = Names(load_settings(env="aws", environ={}, flags=zones))
    statements = [one for one in deployer_statements(names) if one["Resource"] == ["*"]]
    assert list(DEPLOYER_OF_GOVERNED) in [one["Action"] for one in statements]


@pytest.fixture
def newcomer(lake: Checkout, tmp_path: Path) -> Checkout:
    """Return a checkout for the same account that was never deployed."""
    assert lake.account is not None
    name = f"lake-{uuid4().hex[:8]}"
    return Checkout.make(tmp_path, lake.account, name, prefix=f"{name}-")


def _bucket(checkout: Checkout, **encryption: str) -> str:
    """Create the gold bucket with a default encryption, as an earlier stack leaves it; return its name."""
    s3, name = checkout.client("s3"), f"{checkout.project}-gold"
    s3.create_bucket(Bucket=name)
    rule = {"ApplyServerSideEncryptionByDefault": encryption}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return name


def test_a_bucket_with_an_earlier_key_is_imported_only_with_that_key(newcomer: Checkout) -> None:
    arn = newcomer.client("kms").create_key()["KeyMetadata"]["Arn"]
    bucket = _bucket(newcomer, SSEAlgorithm="aws:kms", KMSMasterKeyID=arn)
    with pytest.raises(BlockedError, match="the stack would make a new key") as caught:
        newcomer.plan(infra__adopt="all")
    assert caught.value.facts == {f"bucket {bucket}": arn}
    assert caught.value.hint.startswith(f'set infra.key_arn = "{arn}" in etltctl.toml')
    changes = newcomer.plan(infra__key_arn=arn, infra__adopt=[bucket]).changes
    assert ("import", "GoldBucket") in [(c.action, c.resource) for c in changes]


def test_a_key_that_s3_names_by_its_alias_is_looked_up_before_it_is_set(newcomer: Checkout) -> None:
    _bucket(newcomer, SSEAlgorithm="aws:kms", KMSMasterKeyID="alias/ours")
    with pytest.raises(BlockedError) as caught:
        newcomer.plan(infra__adopt="all")
    assert "aws kms describe-key --key-id alias/ours --query KeyMetadata.Arn" in caught.value.hint


def test_a_secret_with_an_earlier_key_is_refused_even_while_it_waits_for_its_deletion(
    newcomer: Checkout,
) -> None:
    arn, name = newcomer.client("kms").create_key()["KeyMetadata"]["Arn"], f"{newcomer.project}/airbyte"
    secrets = newcomer.client("secretsmanager")
    secrets.create_secret(Name=name, KmsKeyId=arn)
    for meanwhile in (lambda: secrets.delete_secret(SecretId=name), lambda: None):
        with pytest.raises(BlockedError) as caught:
            newcomer.plan(infra__adopt="all")
        assert caught.value.facts == {f"secret {name}": arn}
        meanwhile()


@pytest.mark.parametrize(
    "encryption",
    [{"SSEAlgorithm": "AES256"}, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/aws/s3"}],
)
def test_resources_that_aws_managed_keys_encrypt_are_imported(
    newcomer: Checkout, encryption: dict[str, str]
) -> None:
    _bucket(newcomer, **encryption)
    newcomer.client("secretsmanager").create_secret(Name=f"{newcomer.project}/airbyte")
    assert ("import", "GoldBucket") in [
        (c.action, c.resource) for c in newcomer.plan(infra__adopt="all").changes
    ]


def _plan_with_the_names_of(lake: Checkout, folder: Path) -> Checkout:
    """Return a checkout of another stack that has every name of the deployed one, including the buckets."""
    assert lake.account is not None
    other = Checkout.make(folder, lake.account, lake.project)
    other.change('default_env = "local"', 'default_env = "local"\n[infra]\nstack = "another"')
    return other


def test_a_new_stack_is_refused_with_each_name_that_is_taken_and_its_setting(
    lake: Checkout, tmp_path: Path
) -> None:
    other = _plan_with_the_names_of(lake, tmp_path)
    with pytest.raises(BlockedError, match="stack another did not make what has these names") as caught:
        other.plan()
    assert {
        "Glue Job bronze_to_silver": "name another in glue.job_prefix",
        "IAM Role lake4-operator": "name another in project",
        "IAM InstanceProfile lake4-operator": "name another in project",
        "Athena WorkGroup lake4": "name another in athena.workgroup",
        "KMS Alias alias/lake4": "name another in infra.key_alias",
        "SNS Topic lake4-alarms": "name another in project",
        "CloudWatch Alarm lake4-scanned-too-much": "name another in project",
        "Events Rule lake4-job-failures": "name another in project",
        "SSM Parameter /lake4/airflow/bundle": "name another in project",
        "S3 Bucket lake4-gold": "adopt it, or name another in lake.gold",
        "S3 Bucket lake4-state": "adopt it, or name another in state",
        "Glue Database lake4_gold": "adopt it, or name another in athena.databases.gold",
        "SecretsManager Secret lake4/airbyte": "adopt it, or name another in project",
    }.items() <= caught.value.facts.items()
    stacks = other.client("cloudformation").describe_stacks()["Stacks"]
    assert "another" not in {stack["StackName"] for stack in stacks}


def test_a_resource_that_another_stack_needs_cannot_be_adopted(lake: Checkout, tmp_path: Path) -> None:
    with pytest.raises(BlockedError) as caught:
        _plan_with_the_names_of(lake, tmp_path).plan(infra__adopt="all")
    kinds = {" ".join(label.split(" ")[:2]) for label in caught.value.facts}
    assert {"Glue Job", "IAM Role"} <= kinds
    assert not {"S3 Bucket", "Glue Database", "SecretsManager Secret"} & kinds


def test_a_bucket_is_imported_only_if_the_settings_name_it(newcomer: Checkout) -> None:
    bucket = f"{newcomer.project}-gold"
    newcomer.client("s3").create_bucket(Bucket=bucket)
    other = f"{newcomer.project}-silver"
    with pytest.raises(BlockedError, match="nothing was changed") as caught:
        newcomer.plan(infra__adopt=[other])
    assert caught.value.facts == {f"S3 Bucket {bucket}": "adopt it, or name another in lake.gold"}
    line = f'write into etltctl.toml under [env.aws.infra]: adopt = ["{other}", "{bucket}"]; then: etltctl infra plan'
    assert caught.value.hint.endswith(line)
    imported = [c.id for c in newcomer.plan(infra__adopt=[bucket]).changes if c.action == "import"]
    assert imported == [bucket]


def test_a_name_to_adopt_that_nothing_of_the_stack_has_is_reported_with_the_names_near_to_it(
    newcomer: Checkout,
) -> None:
    project = newcomer.project
    newcomer.change(SMALL, f'{SMALL}\n[infra]\nadopt = ["{project}-golden", "zzz", "{project}/airbyte"]\n')
    with pytest.raises(ConfigurationError, match="no bucket, database, log group or secret") as caught:
        newcomer.plan()
    near, unknown = caught.value.problems
    assert re.fullmatch(r"etltctl\.toml:\d+:\d+: infra\.adopt: .*", near), near
    assert f"'{project}-golden': did you mean {project}-gold" in near
    assert f"'zzz': known are /aws-glue/{project}/error" in unknown
    assert caught.value.exit_code == 3


def test_a_bucket_that_may_not_be_read_is_never_adopted(newcomer: Checkout) -> None:
    newcomer.spoil({"call": "HEAD /*", "refuse": {"status": 403, "body": ""}, "times": 0})
    with pytest.raises(BlockedError) as caught:
        newcomer.plan(infra__adopt="all")
    newcomer.spoil()
    assert any(
        str(text).startswith("may not be read: name another in lake.gold")
        for text in caught.value.facts.values()
    )
