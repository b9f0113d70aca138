"""The Airflow machine: changes reach it while it runs, and another machine can replace it."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from etltctl.infrastructure.template import NEWEST_IMAGE, blueprint
from support.checkout import Checkout
from support.image import unpacked
from support.stacks import create_stack

PROJECT = Path(__file__).parents[3]
SOURCE = """
[sources.orders]
kind = "mongodb"
uri = "env:ORDERS_URI"
database = "shop"
collections = ["orders"]
connection_id = "env:ORDERS_CONNECTION_ID"
"""
SECRETS = {
    "POSTGRES_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "AIRFLOW_WEB_SECRET", "AIRFLOW_ADMIN_PASSWORD",
}  # fmt: skip


def other_image(checkout: Checkout) -> str:
    """Return an image of the account that the machine does not have."""
    current = checkout.client("ssm").get_parameter(Name=NEWEST_IMAGE)["Parameter"]["Value"]
    images = checkout.client("ec2").describe_images(Owners=["amazon"])["Images"]
    return next(str(image["ImageId"]) for image in images if image["ImageId"] != current)


def machine_and_volume(checkout: Checkout) -> tuple[str, str]:
    pages = checkout.client("cloudformation").list_stack_resources(StackName=checkout.project)
    ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in pages["StackResourceSummaries"]}
    return ids["AirflowMachine"], ids["AirflowVolume"]


def test_a_new_image_makes_a_new_machine_while_the_old_one_holds_the_volume(deployed: Checkout) -> None:
    """CloudFormation ends the old machine only after the new one has started; EC2 attaches a volume to one."""
    ec2 = deployed.client("ec2")
    before, volume = machine_and_volume(deployed)
    ec2.attach_volume(VolumeId=volume, InstanceId=before, Device="/dev/sdf")  # as the machine does
    changes = {
        change.resource: change.action for change in deployed.plan(infra__image=other_image(deployed)).changes
    }
    assert changes["AirflowMachine"] == "replace"
    assert "AirflowVolume" not in changes
    assert deployed.deploy(infra__image=other_image(deployed)).status == "UPDATE_COMPLETE"
    after, same = machine_and_volume(deployed)
    assert (after != before, same) == (True, volume)
    ended = ec2.describe_instances(InstanceIds=[before])["Reservations"][0]["Instances"][0]
    assert ended["State"]["Name"] == "terminated"


def test_a_volume_attachment_in_the_stack_would_block_the_new_machine(deployed: Checkout) -> None:
    """The embedded EC2 refuses a second machine as the real one does, so the test above can fail."""
    ec2 = deployed.client("ec2")
    machine, volume = machine_and_volume(deployed)
    template = {
        "Resources": {
            name: {
                "Type": "AWS::EC2::VolumeAttachment",
                "DependsOn": after,
                "Properties": {"InstanceId": machine, "VolumeId": volume, "Device": device},
            }
            for name, after, device in (("First", [], "/dev/sdf"), ("Second", ["First"], "/dev/sdg"))
        }
    }
    for one in ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]:
        ec2.detach_volume(VolumeId=volume, InstanceId=one["InstanceId"])
    failures = create_stack(deployed, "attachments", template)
    assert "VolumeInUse" in failures["Second"]


def test_changed_source_makes_a_new_bundle_without_stopping_the_machine(deployed: Checkout) -> None:
    settings = deployed.folder / "etltctl.toml"
    before = settings.read_text()
    settings.write_text(before + SOURCE)
    try:
        assert [(c.action, c.resource) for c in deployed.plan().changes] == [("modify", "AirflowBundleName")]
        env = stack_env(deployed)
    finally:
        settings.write_text(before)
    reference = "secretsmanager:lake1/airbyte#orders_connection_id"
    assert f"ETLTCTL__SOURCES__ORDERS__CONNECTION_ID={reference}" in env


def test_a_connection_that_the_settings_name_is_not_replaced_by_the_secret(deployed: Checkout) -> None:
    lines = stack_env(deployed, sources__api__connection_id="1a2b", airbyte__client_id="ssm:/lake1/id")
    names = {line.partition("=")[0] for line in lines}
    assert "ETLTCTL__SOURCES__MONGODB__CONNECTION_ID" in names
    assert not {"ETLTCTL__SOURCES__API__CONNECTION_ID", "ETLTCTL__AIRBYTE__CLIENT_ID"} & names


def stack_env(checkout: Checkout, **flags: Any) -> list[str]:
    uploads = blueprint(checkout.settings(**flags)).uploads
    bundle = uploads.files[f"s3://lake1-scripts/{uploads.bundle_key}"]
    folder = unpacked(bundle, checkout.folder / "unpacked")
    return (folder / "deploy" / "airflow" / "stack.env").read_text().splitlines()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a folder for programs of the machine that this computer lacks: each records its arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    make_program(folder / "docker", f'echo "$PWD $*" >> {tmp_path}/docker.log')
    return folder


def make_program(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/bash\n{text}\n")
    file.chmod(0o755)


def start(bundle: Path, home: Path, program: Path) -> dict[str, str]:
    """Start a bundle as the machine's timer does, and return the containers' environment."""
    environ = {"PATH": f"{program}{os.pathsep}{os.environ['PATH']}", "AWS_DEFAULT_REGION": "eu-west-1"}
    subprocess.run([bundle / "start.sh", home], env=environ, check=True)
    file = bundle / "airflow.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [line.partition("=") for line in file.read_text().splitlines()]
    assert len({name for name, _, _ in lines}) == len(lines)
    return {name: value for name, _, value in lines}


def bundle_with(folder: Path, *lines: str) -> Path:
    """Return the project's deploy/airflow with these lines for the containers."""
    folder.mkdir()
    for name in ("start.sh", "new-env.sh", "airflow.env.example"):
        (folder / name).write_bytes((PROJECT / "deploy" / "airflow" / name).read_bytes())
        (folder / name).chmod(0o755)
    (folder / "stack.env").write_text("\n".join([*lines, ""]))
    return folder


def test_a_new_bundle_keeps_secrets_and_changes_settings(tmp_path: Path, program: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    first = start(bundle_with(tmp_path / "one", "ETLTCTL_ENV=aws", "A=1", "GONE=1"), home, program)
    assert set(first) == {*SECRETS, "ETLTCTL_ENV", "A", "GONE", "AWS_REGION"}
    assert all(first[name] for name in SECRETS)
    (home / "airflow.env").write_text((home / "airflow.env").read_text() + "BY_HAND=1\nA=old\n")
    second = start(bundle_with(tmp_path / "two", "ETLTCTL_ENV=aws", "A=2", "NEW=1"), home, program)
    secrets = {name: first[name] for name in SECRETS}
    assert second == {
        **secrets, "ETLTCTL_ENV": "aws", "A": "2", "NEW": "1", "BY_HAND": "1", "AWS_REGION": "eu-west-1",
    }  # fmt: skip
    assert f"{tmp_path / 'two'} compose" in (tmp_path / "docker.log").read_text()


def test_a_secret_that_a_later_release_needs_is_created_with_that_release(
    tmp_path: Path, program: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    start(bundle_with(tmp_path / "one", "A=1"), home, program)
    later = bundle_with(tmp_path / "two", "A=1")
    (later / "airflow.env.example").write_text((later / "airflow.env.example").read_text() + "\nNEW_KEY=\n")
    assert len(start(later, home, program)["NEW_KEY"]) == 44


def test_the_machine_waits_until_the_old_machine_has_detached_the_volume(
    tmp_path: Path, program: Path
) -> None:
    """Run cloud-init's script up to the volume's first use, with the refusals that EC2 gives meanwhile."""
    device, log = tmp_path / "device", tmp_path / "aws.log"
    make_program(program / "sleep", "true")
    make_program(program / "systemctl", "true")
    make_program(
        program / "aws",
        f'echo "$*" >> {log}; [ "$(wc -l < {log})" -lt 3 ] && exit 254; touch {device}',
    )
    make_program(program / "blkid", f"echo found >> {log}; exit 7")  # ends this test
    text = volume_script().replace("/var/lib/cloud/data/instance-id", f"{tmp_path}/instance-id")
    text = text.replace("/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0a", str(device))
    (tmp_path / "instance-id").write_text("i-0b\n")
    done = subprocess.run(
        ["bash", "-c", text.replace("[ -b ", "[ -e ").replace("mkfs.ext4", "exit 7; ")],
        env={"PATH": f"{program}{os.pathsep}{os.environ['PATH']}"},
        check=False,
    )
    assert done.returncode == 7
    attach = "ec2 attach-volume --volume-id vol-0a --instance-id i-0b --device /dev/sdf"
    assert log.read_text().splitlines() == [attach, attach, attach, "found"]


def machine_script(name: str, **names: str) -> str:
    """Return a script that cloud-init writes, with its names filled in as CloudFormation does."""
    template = yaml.safe_load((PROJECT / "deploy" / "aws" / "template.yaml").read_text())
    text = template["Resources"]["AirflowMachine"]["Properties"]["UserData"]["Fn::Base64"]["Fn::Sub"][0]
    files = {file["path"]: file["content"] for file in yaml.safe_load(text)["write_files"]}
    script = str(files[f"/usr/local/sbin/{name}"]).replace("${AWS::Region}", "us-east-2")
    for variable, value in names.items():
        script = script.replace(f"${{{variable}}}", value)
    assert "${" not in script
    return script


def volume_script() -> str:
    """Return the machine's script that attaches its volume."""
    script = machine_script("etltctl-volume", DataVolume="vol-0a")
    return script.replace("nvme-Amazon_Elastic_Block_Store_$id", "nvme-Amazon_Elastic_Block_Store_vol0a")


def test_the_operator_attaches_the_stack_s_volume_to_the_stack_s_machine_and_no_other() -> None:
    template = yaml.safe_load((PROJECT / "deploy" / "aws" / "template.yaml").read_text())
    (policy,) = template["Resources"]["OperatorRole"]["Properties"]["Policies"]
    allowing = [s for s in policy["PolicyDocument"]["Statement"] if "ec2:AttachVolume" in s["Action"]]
    assert [s["Condition"] for s in allowing] == [{"StringEquals": {"aws:ResourceTag/Name": "pi-m3-airflow"}}]


def test_a_bundle_that_does_not_start_raises_one_alarm(tmp_path: Path, program: Path) -> None:
    """Run the script that the machine's timer runs every minute, with a bundle that fails and one that does not."""
    home, log = tmp_path / "home", tmp_path / "aws.log"
    home.mkdir()
    script = machine_script(
        "etltctl-airflow", BundleParameter="/p", ScriptsBucketName="scripts", AlarmTopic="arn:topic"
    ).replace("/srv/etltctl", str(home))
    make_program(
        program / "aws",
        f'case "$1" in ssm) cat {tmp_path}/key;; s3) cat {tmp_path}/$(basename "$3");; sns) echo "$*" >> {log};; esac',
    )

    def run_timer(key: str, start: str) -> int:
        (tmp_path / "key").write_text(key)
        with tarfile.open(tmp_path / key.rpartition("/")[2], "w:gz") as archive:
            content = f"#!/bin/bash\n{start}\n".encode()
            member = tarfile.TarInfo("deploy/airflow/start.sh")
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
        environ = {"PATH": f"{program}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(["bash", "-c", script], env=environ, check=False).returncode

    assert [run_timer("airflow/bad.tar.gz", "exit 3") for _ in range(3)] == [3, 3, 3]
    (alarm,) = log.read_text().splitlines()
    assert alarm.startswith("sns publish --topic-arn arn:topic --subject Airflow does not start")
    assert "Bundle airflow/bad.tar.gz" in alarm
    assert run_timer("airflow/good.tar.gz", "true") == 0
    assert (home / "running").read_text() == "airflow/good.tar.gz\n"
    assert run_timer("airflow/worse.tar.gz", "exit 1") == 1
    assert len(log.read_text().splitlines()) == 2
