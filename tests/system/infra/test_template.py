"""The template: it follows the settings, nothing is open to the public, and nothing runs twice."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from etltctl.errors import ConfigurationError
from etltctl.infrastructure import export
from etltctl.infrastructure.handlers import ACTIONS
from etltctl.settings import load_settings
from support.template import PROJECT, TEMPLATE, WRITTEN, of_type

SETTINGS = tomllib.loads((PROJECT / "etltctl.toml").read_text("utf-8"))


def test_the_template_in_the_repository_matches_the_settings() -> None:
    assert WRITTEN.read_text("utf-8") == export(load_settings(env="aws", environ={})), (
        "etltctl infra export -e aws"
    )


def test_names_are_those_of_the_settings() -> None:
    lake, athena = SETTINGS["lake"], SETTINGS["athena"]
    places = [lake[name] for name in ("bronze", "silver", "gold", "scripts")]
    places += [athena["output_location"], SETTINGS["env"]["aws"]["state"]]
    buckets = {place.removeprefix("s3://").split("/")[0] for place in places}
    assert {facts["BucketName"] for facts in of_type("AWS::S3::Bucket").values()} == buckets
    databases = {facts["DatabaseInput"]["Name"] for facts in of_type("AWS::Glue::Database").values()}
    assert databases == {"pi_m3_bronze", "pi_m3_silver", "pi_m3_silver_rejects", "pi_m3_gold"}
    (workgroup,) = of_type("AWS::Athena::WorkGroup").values()
    assert workgroup["Name"] == "pi-m3"
    assert workgroup["WorkGroupConfiguration"]["BytesScannedCutoffPerQuery"] == 20 * 10**9
    assert workgroup["WorkGroupConfiguration"]["EnforceWorkGroupConfiguration"] is True
    assert {facts["Name"] for facts in of_type("AWS::Glue::Job").values()} == set(SETTINGS["glue"]["jobs"])


def test_jobs_are_two_small_workers_that_never_run_twice() -> None:
    jobs = of_type("AWS::Glue::Job")
    assert len(jobs) == 4
    for job in jobs.values():
        assert (job["GlueVersion"], job["WorkerType"], job["NumberOfWorkers"]) == ("5.1", "G.1X", 2)
        assert (job["ExecutionProperty"], job["MaxRetries"]) == ({"MaxConcurrentRuns": 1}, 0)
        assert 0 < job["Timeout"] < 480
        script = job["Command"]["ScriptLocation"]["Fn::Sub"]
        assert script.endswith(f"Scripts}}/{Path(SETTINGS['glue']['jobs'][job['Name']]['script']).name}")


def test_no_bucket_is_public_unencrypted_or_lost_with_the_stack() -> None:
    policies = {facts["Bucket"]["Ref"]: facts for facts in of_type("AWS::S3::BucketPolicy").values()}
    for name, bucket in of_type("AWS::S3::Bucket").items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["BucketKeyEnabled"] is True
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["LifecycleConfiguration"]["Rules"][0]["AbortIncompleteMultipartUpload"]
        denied = {s["Sid"]: s["Condition"] for s in policies[name]["PolicyDocument"]["Statement"]}
        assert denied["TlsOnly"] == {"Bool": {"aws:SecureTransport": "false"}}
        resource = TEMPLATE["Resources"][name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == (
            "RetainExceptOnCreate",
            "Retain",
        )


def test_the_machine_accepts_no_connection_and_hides_its_credentials() -> None:
    (machine,) = of_type("AWS::EC2::Instance").values()
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert "KeyName" not in machine
    (group,) = of_type("AWS::EC2::SecurityGroup").values()
    assert group["SecurityGroupIngress"] == []
    config = yaml.safe_load(machine["UserData"]["Fn::Base64"]["Fn::Sub"][0])
    assert {"docker.io", "docker-compose-v2"} <= set(config["packages"])
    scripts = {file["path"]: file["content"] for file in config["write_files"]}
    assert "deploy/airflow/start.sh" in scripts["/usr/local/sbin/etltctl-airflow"]


def test_every_role_may_perform_named_actions_only() -> None:
    for name, role in of_type("AWS::IAM::Role").items():
        actions = [a for s in role["Policies"][0]["PolicyDocument"]["Statement"] for a in s["Action"]]
        assert actions
        if name != "DeployerRole":
            assert [action for action in actions if "*" in action] == []


def test_the_glue_role_reads_and_writes_the_lake_and_nothing_else() -> None:
    (policy,) = of_type("AWS::IAM::Role")["PiM3Glue"]["Policies"]
    written = next(s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "Write")
    places = [place["Fn::Sub"].rpartition(":::")[2] for place in written["Resource"]]
    assert places == ["pi-m3-gold/*", "pi-m3-silver/*"]


def test_the_deployer_has_the_actions_of_every_type_in_the_template_and_of_no_other() -> None:
    used = {facts["Type"] for facts in TEMPLATE["Resources"].values()} | {"AWS::SNS::Subscription"}
    # A stack whose governance was removed still has to deregister its locations.
    governed = {"AWS::LakeFormation::Resource", "AWS::LakeFormation::PrincipalPermissions"}
    assert used.isdisjoint(governed)
    assert used | governed == set(ACTIONS)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("infra.stack", "1st"),
        ("infra.key_alias", "alias/aws/s3"),
        ("infra.key_arn", "my key"),
        ("infra.image", "ubuntu"),
        ("infra.volume_gb", 1),
        ("infra.log_days", 31),
        ("infra.alarm_email", "no-address"),
        ("infra.monthly_budget_usd", -1),
        ("infra.instance", "t3.large"),
    ],
)
def test_an_impossible_setting_is_named(setting: str, value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(env="aws", environ={}, flags={setting: value})
    assert setting in caught.value.problems[0]


def test_an_existing_key_and_an_alarm_reader_are_used() -> None:
    arn = "arn:aws:kms:us-east-2:123456789012:key/11111111-2222-3333-4444-555555555555"
    flags = {"infra.key_arn": arn, "infra.alarm_email": "me@example.org", "infra.monthly_budget_usd": 0}
    template = yaml.safe_load(export(load_settings(env="aws", environ={}, flags=flags)))
    assert not {"Key", "KeyAlias", "MonthlyBudget"} & set(template["Resources"])
    assert template["Resources"]["AlarmSubscription"]["Properties"]["Protocol"] == "email"
    encryption = template["Resources"]["GoldBucket"]["Properties"]["BucketEncryption"]
    assert (
        encryption["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]
        == arn
    )
