"""The embedded server's state: stored as data, written completely or not at all. Damaged files block nothing."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etltctl.local.kernel.accounts import EVERYBODY, OWNER
from etltctl.local.kernel.data_catalog import Catalog
from etltctl.local.kernel.state_files import LateWrites, find_set_aside, write_atomically
from etltctl.local.server.backend_data import from_nodes, to_nodes
from etltctl.local.server.control_plane import MOTO_VERSION, ControlPlane
from etltctl.local.services.airbyte.jobs import Jobs
from etltctl.local.services.airbyte.resources import MadeResources
from etltctl.local.services.airbyte.tokens import keep_credentials
from etltctl.local.services.glue.records import RunRecords
from etltctl.local.services.lakeformation.store import Store
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


STATE_FILES = (
    "server/aws.json", "airbyte/jobs.json", "airbyte/resources.json", "airbyte/credentials.json",
    "lakeformation.json", "glue/runs/jr_1.json", "athena/q.json",
)  # fmt: skip
MISSHAPEN = (
    b'{"jobs": 3, "services": {"glue": [[]]}, "settings": 7, "sources": 3, "next_id": [], "state": {}}'
)
CONTENTS = {
    "empty": b"", "cut off": b'{"jobs": [', "list": b"[]", "noise": b"\xff\xfe\x00", "misshapen": MISSHAPEN,
}  # fmt: skip


@pytest.fixture
def damaged_state(tmp_path: Path) -> Path:
    """Return a state folder whose every file is damaged in a different way, with leftovers of interrupted writes."""
    state = tmp_path / "state"
    ways = list(CONTENTS.values())
    for nth, name in enumerate(STATE_FILES):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_bytes(ways[nth % len(ways)])
    for leftover in (".moto.pickle-x0ab_9zz", ".endpoint.json-abcdefgh"):
        (state / "server" / leftover).write_bytes(b"")
    return state


def test_damaged_files_are_set_aside_by_name_and_the_server_starts(damaged_state: Path) -> None:
    with serve(damaged_state, "--keep") as server:
        assert server.client("glue").get_databases()["DatabaseList"] == []
        damages = server.request("POST", "stack", {})[1]["damages"]
        again = server.request("POST", "stack", {})[1]["damages"]
    aside = {path.name.partition(".damaged-")[0] for path in find_set_aside(damaged_state)}
    assert aside == {Path(name).name for name in STATE_FILES}
    assert again == []
    for name in STATE_FILES:
        assert any(f"/{name} is damaged" in line for line in damages), (name, damages)
    assert any("etltctl athena refresh" in line for line in damages)
    log = (damaged_state / "server" / "server.log").read_text()
    assert all(line in log for line in damages)
    assert not list((damaged_state / "server").glob(".*-????????"))


READERS: dict[str, Callable[[Path], object]] = {
    "jobs.json": lambda file: Jobs(file, time.time),
    "resources.json": lambda file: MadeResources(file, time.time),
    "credentials.json": keep_credentials,
    "lakeformation.json": Store,
    "jr_1.json": lambda file: RunRecords(file.parent, time.time),
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", READERS)
def test_no_content_of_a_state_file_crashes_its_reader(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_bytes(CONTENTS[content])
    READERS[name](file)
    (aside,) = tmp_path.glob(f"{name}.damaged-*")
    assert aside.read_bytes() == CONTENTS[content]


def test_a_job_after_a_damaged_history_is_not_mistaken_for_an_old_one(tmp_path: Path) -> None:
    file = tmp_path / "jobs.json"
    before = Jobs(file, time.time).create("c")
    file.write_text("{")
    assert Jobs(file, time.time).create("c").id > before.id + 1000


def test_a_lost_governance_file_opens_no_closed_table(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serve(state, "--keep") as server:
        server.client("glue").create_database(DatabaseInput={"Name": "db"})
        server.client("glue").create_table(DatabaseName="db", TableInput=TABLE)
        assert grants(server) == {OWNER, EVERYBODY}
    (state / "lakeformation.json").write_text("{")
    for _ in range(2):  # nor after one more start
        with serve(state, "--keep") as server:
            assert grants(server) == {OWNER}


def grants(server: Served) -> set[str]:
    """Return the principals that have a permission on the table."""
    resource = {"Table": {"DatabaseName": "db", "Name": "t"}}
    permissions = server.client("lakeformation").list_permissions(Resource=resource)
    return {
        each["Principal"]["DataLakePrincipalIdentifier"]
        for each in permissions["PrincipalResourcePermissions"]
    }


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root mounts a small disk")
def test_a_failed_write_leaves_the_old_file_and_nothing_next_to_it(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=True)
    try:
        file = tmp_path / "state.json"
        write_atomically(file, b"old")
        with pytest.raises(OSError) as caught:
            write_atomically(file, b"x" * 200_000)
        assert caught.value.errno == errno.ENOSPC
        assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
        late = LateWrites()
        filler = tmp_path / "filler"
        fill_up(filler)
        late.write(file, b"n" * 5_000)
        assert file.read_bytes() == b"old"
        filler.unlink()
        late.flush()
        assert file.read_bytes() == b"n" * 5_000
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def fill_up(file: Path) -> None:
    """Fill the disk."""
    with file.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"x" * 4096)
        except OSError:
            return
