"""The services that only keep records: their state outlives the process, and a stale write is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etltctl.local.kernel.accounts import ACCOUNT
from etltctl.local.kernel.data_catalog import Catalog
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.server import control_plane
from etltctl.local.server.control_plane import ControlPlane
from support.served import Served

TABLE = {"Name": "t", "StorageDescriptor": {"Location": "s3://lake/t/v=1/"}}


@pytest.fixture
def glue(server: Served) -> Any:
    client = server.client("glue")
    client.create_database(DatabaseInput={"Name": "db"})
    client.create_table(DatabaseName="db", TableInput=TABLE)
    yield client
    client.delete_table(DatabaseName="db", Name="t")
    client.delete_database(Name="db")


def test_an_update_of_a_table_that_has_changed_is_refused(glue: Any) -> None:
    seen = glue.get_table(DatabaseName="db", Name="t")["Table"]["VersionId"]
    glue.update_table(DatabaseName="db", TableInput=TABLE, VersionId=seen)
    with pytest.raises(ClientError) as caught:
        glue.update_table(DatabaseName="db", TableInput=TABLE, VersionId=seen)
    assert caught.value.response["Error"]["Code"] == "ConcurrentModificationException"


def test_an_update_of_a_missing_table_fails_in_glue_s_words(glue: Any) -> None:
    with pytest.raises(ClientError) as caught:
        glue.update_table(DatabaseName="db", TableInput={"Name": "nothing"}, VersionId="1")
    assert caught.value.response["Error"]["Code"] == "EntityNotFoundException"


def test_other_aws_services_answer_too(server: Served) -> None:
    server.client("secretsmanager").create_secret(Name="s", SecretString="x")
    assert server.client("secretsmanager").get_secret_value(SecretId="s")["SecretString"] == "x"
    server.client("lakeformation").register_resource(
        ResourceArn="arn:aws:s3:::lake", UseServiceLinkedRole=True
    )
    assert server.client("sts").get_caller_identity()["Account"] == ACCOUNT
    server.client("iam").create_role(RoleName="keeper", AssumeRolePolicyDocument="{}")
    assert server.client("iam").get_role(RoleName="keeper")["Role"]["RoleName"] == "keeper"


def test_the_catalog_is_visible_to_other_services(tmp_path: Path) -> None:
    catalog = Catalog(ControlPlane(tmp_path / "aws.json"))
    catalog.call("AWSGlue.CreateDatabase", {"DatabaseInput": {"Name": "lake"}})
    catalog.call("AWSGlue.CreateTable", {"DatabaseName": "lake", "TableInput": TABLE})
    assert "lake" in catalog.get_databases()
    assert [table["Name"] for table in catalog.get_tables("lake")] == ["t"]
    assert catalog.get_table("lake", "nothing") is None
    assert catalog.get_tables("nowhere") == []
    assert catalog.get_partitions("lake", "t") == []
    assert catalog.get_workgroup("missing") is None
    with pytest.raises(AwsError, match="already exists"):
        catalog.call("AWSGlue.CreateDatabase", {"DatabaseInput": {"Name": "lake"}})


@pytest.mark.parametrize(
    "content", [b"not a pickle", pickle.dumps({"format": 1, "moto": "0.0.1", "services": {}}), b""]
)
def test_records_that_cannot_be_read_are_set_aside(tmp_path: Path, content: bytes) -> None:
    snapshot = tmp_path / "moto.pickle"
    snapshot.write_bytes(content)
    Catalog(ControlPlane(tmp_path / "aws.json")).get_databases()
    assert not snapshot.exists()
    assert [path.read_bytes() for path in tmp_path.glob("moto.pickle.damaged-*")] == [content]


def test_another_version_of_moto_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_plane, "version", lambda _: "9.9.9")
    with pytest.raises(RuntimeError, match=r"needs moto 5\.2\.5, not 9\.9\.9"):
        ControlPlane(tmp_path / "aws.json")
