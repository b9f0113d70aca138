"""The embedded server's records: stored as data, never as pickles, and the same after a stop or a kill."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from etltctl.local.kernel.data_catalog import Catalog
from etltctl.local.server.backend_data import from_nodes, to_nodes
from etltctl.local.server.control_plane import MOTO_VERSION, ControlPlane
from support.served import Served, serve

TABLE = {
    "Name": "t",
    "StorageDescriptor": {"Location": "s3://lake/t/", "Columns": [{"Name": "c", "Type": "int"}]},
}
POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}'
)


def fill(server: Served) -> None:
    """Create one record of every kind that is stored."""
    glue, iam = server.client("glue"), server.client("iam")
    glue.create_database(DatabaseInput={"Name": "db"})
    glue.create_table(
        DatabaseName="db", TableInput={**TABLE, "PartitionKeys": [{"Name": "p", "Type": "string"}]}
    )
    glue.update_table(DatabaseName="db", TableInput={**TABLE, "Parameters": {"k": "v"}})
    glue.create_partition(DatabaseName="db", TableName="t", PartitionInput={"Values": ["1"]})
    glue.create_job(
        Name="j", Role="r", Command={"Name": "glueetl", "ScriptLocation": "s3://b/j.py"}, Tags={"a": "b"}
    )
    server.client("athena").create_work_group(
        Name="w", Configuration={"ResultConfiguration": {"OutputLocation": "s3://b/"}}
    )
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=POLICY)
    iam.put_role_policy(RoleName="r", PolicyName="inline", PolicyDocument=POLICY)
    iam.create_user(UserName="u")
    server.client("ssm").put_parameter(Name="/p", Value="v", Type="SecureString")
    server.client("secretsmanager").create_secret(Name="s", SecretString="x")
    server.client("logs").create_log_group(logGroupName="g")


def answers_of(server: Served) -> dict[str, Any]:
    """Return the services' answers about these records."""
    glue, iam = server.client("glue"), server.client("iam")
    answers = {
        "tables": glue.get_tables(DatabaseName="db")["TableList"],
        "versions": len(glue.get_table_versions(DatabaseName="db", TableName="t")["TableVersions"]),
        "partitions": glue.get_partitions(DatabaseName="db", TableName="t")["Partitions"],
        "job": glue.get_job(JobName="j")["Job"],
        "workgroup": server.client("athena").get_work_group(WorkGroup="w")["WorkGroup"]["Configuration"],
        "role": iam.get_role(RoleName="r")["Role"],
        "policy": iam.get_role_policy(RoleName="r", PolicyName="inline")["PolicyDocument"],
        "user": iam.get_user(UserName="u")["User"]["Arn"],
        "parameter": server.client("ssm").get_parameter(Name="/p", WithDecryption=True)["Parameter"]["Value"],
        "secret": server.client("secretsmanager").get_secret_value(SecretId="s")["SecretString"],
        "groups": [
            group["logGroupName"] for group in server.client("logs").describe_log_groups()["logGroups"]
        ],
    }
    return json.loads(json.dumps(answers, default=str))


def test_every_kind_of_record_survives_a_stop_and_a_kill_of_the_server(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serve(state, "--keep") as server:
        fill(server)
        before = answers_of(server)
        server.process.send_signal(signal.SIGKILL)
    with serve(state, "--keep") as server:
        assert answers_of(server) == before
        server.client("glue").create_table(DatabaseName="db", TableInput={**TABLE, "Name": "later"})
        assert server.client("iam").list_users()["Users"]
    assert json.loads((state / "server" / "aws.json").read_text())["format"] == 2
    assert stat_mode(state / "server") == 0o700
    assert stat_mode(state / "server" / "aws.json") == 0o600


def stat_mode(path: Path) -> int:
    """Return the permission bits."""
    return path.stat().st_mode & 0o777


def old_snapshot(folder: Path) -> Path:
    """Return a `moto.pickle` as earlier versions of etltctl wrote it, with moto itself."""
    script = (
        "import pickle, sys\n"
        "from pathlib import Path\n"
        "from etltctl.local.server import control_plane as c\n"
        f"plane = c.ControlPlane(Path({str(folder / 'made' / 'aws.json')!r}))\n"
        "plane.call('AWSGlue.CreateDatabase', {'DatabaseInput': {'Name': 'old'}})\n"
        "plane.make_role('kept')\n"
        "services = {s: pickle.dumps(dict(c._backends(s).items())) for s in c.KEPT_SERVICES}\n"
        f"content = {{'format': 1, 'moto': {MOTO_VERSION!r}, 'services': services}}\n"
        "sys.stdout.buffer.write(pickle.dumps(content))\n"
    )
    path = folder / "moto.pickle"
    path.write_bytes(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    return path


def test_records_pickled_by_the_previous_version_are_converted_once(tmp_path: Path) -> None:
    old = old_snapshot(tmp_path)
    plane = ControlPlane(tmp_path / "aws.json")
    assert Catalog(plane).get_databases().count("old") == 1
    assert plane.find_principal("role", "kept").endswith(":role/kept")
    assert not old.exists()
    assert json.loads((tmp_path / "aws.json").read_text())["services"].keys() >= {"glue", "iam"}


class Runs:
    """An object whose pickle runs a command when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.called = (function, arguments)

    def __reduce__(self) -> Any:
        return self.called


@pytest.mark.parametrize("attack", [os.system, eval, getattr, subprocess.call, __import__, open])
def test_a_pickle_that_runs_a_command_is_refused_and_set_aside_by_name(tmp_path: Path, attack: Any) -> None:
    proof = tmp_path / "ran"
    arguments = {eval: (f"open({str(proof)!r}, 'w')",), getattr: (1, "real"), open: (str(proof), "w")}
    payload = pickle.dumps(Runs(attack, *arguments.get(attack, (f"touch {proof}",))))
    content = {"format": 1, "moto": MOTO_VERSION, "services": {"glue": payload}}
    (tmp_path / "moto.pickle").write_bytes(pickle.dumps(content))
    Catalog(ControlPlane(tmp_path / "aws.json")).get_databases()
    assert not proof.exists()
    assert [path.name.split(".damaged-")[0] for path in find_set_aside_in(tmp_path)] == ["moto.pickle"]


def find_set_aside_in(folder: Path) -> list[Path]:
    """Return the files set aside in this folder."""
    return sorted(folder.glob("*.damaged-*"))


def test_a_pickle_that_others_may_write_is_refused(tmp_path: Path) -> None:
    old_snapshot(tmp_path).chmod(0o664)
    Catalog(ControlPlane(tmp_path / "aws.json")).get_databases()
    assert find_set_aside_in(tmp_path)


@pytest.mark.parametrize(
    "node",
    [
        ["object", "subprocess", "Popen", []],
        ["object", "moto.glue.models", "json", []],
        ["object", "moto.glue.models", "OrderedDict", []],
        ["enum", "os", "system", "true"],
    ],
)
def test_stored_data_names_only_classes_of_records(node: list[Any]) -> None:
    with pytest.raises(ValueError, match="not one of the records"):
        from_nodes([node])


def test_stored_data_keeps_shared_objects_shared() -> None:
    shared = {("a", 1), ("b", 2)}
    value: dict[Any, Any] = {"one": shared, "two": shared, 3: b"\x00\xff"}
    value["self"] = value
    value["ordered"] = OrderedDict(first=shared, second=shared)
    back = from_nodes(json.loads(json.dumps(to_nodes(value))))
    assert back["one"] == shared
    assert back["one"] is back["two"]
    assert back["self"] is back
    assert list(back["ordered"]) == ["first", "second"]
    assert back[3] == b"\x00\xff"
