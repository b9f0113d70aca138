"""The embedded server's files: written completely or not at all. Damaged files block nothing."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from etltctl.local.kernel.accounts import EVERYBODY, OWNER
from etltctl.local.kernel.state_files import LateWrites, find_set_aside, write_atomically
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
