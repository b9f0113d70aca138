"""The template: it follows the settings, nothing is open to the public, and nothing runs twice."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from etltctl.errors import ConfigurationError
from etltctl.infrastructure import export
from etltctl.infrastructure.bundle import NEEDED
from etltctl.infrastructure.handlers import ACTIONS
from etltctl.infrastructure.template import blueprint
from etltctl.infrastructure.uploads import uploads_of
from etltctl.settings import load_settings

PROJECT = Path(__file__).parents[3]
WRITTEN = PROJECT / "deploy" / "aws" / "template.yaml"
SETTINGS = tomllib.loads((PROJECT / "etltctl.toml").read_text("utf-8"))
TEMPLATE = yaml.safe_load(WRITTEN.read_text("utf-8"))


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of every resource of a type, by logical id."""
    matching = {name: facts for name, facts in TEMPLATE["Resources"].items() if facts["Type"] == kind}
    return {name: facts["Properties"] for name, facts in matching.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a checkout with only the files that a deployment needs."""
    (tmp_path / "etltctl.toml").write_text((PROJECT / "etltctl.toml").read_text())
    (tmp_path / "glue_jobs").mkdir()
    for name in ("one.py", "two.py", "shared.py", "shared_config.json"):
        (tmp_path / "glue_jobs" / name).write_text(f"# {name}\n")
    airflow = tmp_path / "deploy" / "airflow"
    airflow.mkdir(parents=True)
    for name in NEEDED:
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def uploads(folder: Path) -> Any:
    flags = {"glue.jobs": {name: {"script": f"glue_jobs/{name}.py"} for name in ("one", "two")}}
    return uploads_of(load_settings(config=folder / "etltctl.toml", env="aws", environ={}, flags=flags))


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


def test_changed_content_changes_the_key_of_only_the_jobs_that_use_it(folder: Path) -> None:
    before = uploads(folder)
    assert uploads(folder) == before
    (folder / "glue_jobs" / "one.py").write_text("# changed\n")
    after = uploads(folder)
    assert after.hashes["one"] != before.hashes["one"]
    assert after.hashes["two"] == before.hashes["two"]
    (folder / "glue_jobs" / "shared.py").write_text("# changed\n")
    assert uploads(folder).hashes["two"] != before.hashes["two"]


def test_modules_are_uploaded_in_one_archive_next_to_the_script_and_its_data(folder: Path) -> None:
    names = [place.rpartition("/")[2] for place in uploads(folder).files if "/glue_jobs/one/" in place]
    assert names == ["one.py", "modules.zip", "shared_config.json"]


def test_the_bundle_holds_the_project_and_no_secrets(folder: Path) -> None:
    (folder / "deploy" / "airflow" / "airflow.env").write_text("SECRET=1\n")
    (folder / "src").mkdir()
    (folder / "src" / "module.py").write_text("")
    uploaded = uploads(folder)
    packed = uploaded.files[f"s3://pi-m3-scripts/{uploaded.bundle_key}"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
        names = set(archive.getnames())
    assert {"deploy/airflow/compose.yaml", "etltctl.toml", "src/module.py", "glue_jobs/one.py"} <= names
    assert "deploy/airflow/airflow.env" not in names


def test_a_file_that_the_machine_needs_is_named_when_it_is_missing(folder: Path) -> None:
    (folder / "deploy" / "airflow" / "compose.yaml").unlink()
    with pytest.raises(ConfigurationError, match=r"needs deploy/airflow/compose\.yaml"):
        uploads(folder)


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


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str, str], str]:
    """Return a function that runs the check of deploy/aws on a changed template."""

    def check(old: str, new: str) -> str:
        (tmp_path / "check.py").write_text((WRITTEN.parent / "check.py").read_text())
        text = WRITTEN.read_text()
        assert old in text
        (tmp_path / "template.yaml").write_text(text.replace(old, new))
        done = subprocess.run(
            [sys.executable, tmp_path / "check.py"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        return done.stderr

    return check


def test_the_check_finds_a_misspelt_action_and_a_misspelt_module_of_cloud_init(
    broken: Callable[[str, str], str],
) -> None:
    assert "glue:StartJobsRun" in broken("glue:StartJobRun", "glue:StartJobsRun")
    assert "cloud-config" in broken("            packages: [", "            packagez: [")


def statements_of(role: str) -> dict[str, dict[str, Any]]:
    (policy,) = of_type("AWS::IAM::Role")[role]["Policies"]
    return {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}


@pytest.mark.parametrize(
    ("action", "condition"),
    [
        ("kms:PutKeyPolicy", {"aws:ResourceTag/Name": "pi-m3-lake"}),
        ("kms:ScheduleKeyDeletion", {"aws:ResourceTag/Name": "pi-m3-lake"}),
        ("ec2:TerminateInstances", {"aws:ResourceTag/Name": "pi-m3-airflow"}),
        ("ec2:ModifyInstanceAttribute", {"aws:ResourceTag/Name": "pi-m3-airflow"}),
        ("ec2:DeleteVolume", {"aws:ResourceTag/Name": "pi-m3-airflow"}),
    ],
)
def test_the_deployer_deletes_only_resources_with_the_stack_s_tag(
    action: str, condition: dict[str, str]
) -> None:
    allowing = [each for each in statements_of("DeployerRole").values() if action in each["Action"]]
    assert [each["Condition"] for each in allowing] == [{"StringEquals": condition}]
    tagged = {"kms": "AWS::KMS::Key", "ec2": "AWS::EC2::Instance"}[action.partition(":")[0]]
    value = condition["aws:ResourceTag/Name"]
    assert [{"Key": "Name", "Value": value} in facts["Tags"] for facts in of_type(tagged).values()] == [True]


def test_a_role_is_passed_only_to_its_service() -> None:
    passing = [each for each in statements_of("DeployerRole").values() if "iam:PassRole" in each["Action"]]
    services = {
        each["Condition"]["StringEquals"]["iam:PassedToService"]: [
            place["Fn::Sub"].rpartition("/")[2] for place in each["Resource"]
        ]
        for each in passing
    }
    assert services == {
        "ec2.amazonaws.com": ["pi-m3-operator"],
        "glue.amazonaws.com": ["pi-m3-glue"],
        "lakeformation.amazonaws.com": ["pi-m3-lake-formation"],
    }


def test_only_the_stack_s_machines_and_volumes_can_be_tagged() -> None:
    tagging = [each for each in statements_of("DeployerRole").values() if "ec2:CreateTags" in each["Action"]]
    on_machines = [each for each in tagging if any("instance/" in str(place) for place in each["Resource"])]
    assert [each["Condition"]["StringEquals"] for each in on_machines] == [
        {"ec2:CreateAction": ["RunInstances", "CreateVolume"]},
        {"aws:ResourceTag/Name": "pi-m3-airflow"},
    ]


@pytest.mark.parametrize("action", ["kms:ScheduleKeyDeletion", "ec2:TerminateInstances", "iam:PassRole"])
def test_the_check_finds_a_dangerous_action_without_its_condition(
    broken: Callable[[str, str], str], action: str
) -> None:
    harmless = {"kms": "kms:CreateKey", "ec2": "ec2:CreateVpc", "iam": "iam:UpdateRole"}[action[:3]]
    assert f"allows {action} without the condition" in broken(f"- {harmless}\n", f"- {action}\n")


def test_settings_that_make_a_template_too_large_are_refused_with_its_size(folder: Path) -> None:
    jobs = {f"job_{number:02}": {"script": "glue_jobs/one.py"} for number in range(40)}
    many = load_settings(
        config=folder / "etltctl.toml",
        env="aws",
        environ={},
        flags={"glue.jobs": jobs, "glue.job_prefix": "x-"},
    )
    drawn = blueprint(many)
    with pytest.raises(
        ConfigurationError, match=r"has \d\d,\d{3} bytes, and CloudFormation takes 51,200 of a new"
    ):
        drawn.require_room(has_bucket=False)
    drawn.require_room(has_bucket=True)
    assert not drawn.fits_a_call


def test_names_that_make_a_policy_too_long_are_refused_before_iam_does(folder: Path) -> None:
    flags = {"project": "w" * 60}
    long = load_settings(config=folder / "etltctl.toml", env="aws", environ={}, flags=flags)
    with pytest.raises(
        ConfigurationError, match=r"role w+-deployer has 1\d,\d{3} characters, and IAM takes 10,240"
    ):
        blueprint(long).require_room(has_bucket=True)
