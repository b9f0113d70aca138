"""Machines that lack something: an account for the user, a host name, open files, a loopback."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.served import wait_until

ETLTCTL = str(Path(sys.executable).with_name("etltctl"))
UID = 12345  # no account has it
SPARK = """
import sys
from pathlib import Path
from etltctl.local.services.glue.script_process import assign
from etltctl.local.services.glue.spark import SparkPool
folder = Path(sys.argv[1])
script = folder / "job.py"
script.write_text(
    "from pyspark.sql import SparkSession\\n"
    f"SparkSession.builder.getOrCreate().range(3).write.parquet('file://{folder}/out')\\n"
)
pool = SparkPool(folder / "spark", folder / "s3", list, "http://127.0.0.1:1")
try:
    process, jvm = pool.python(), pool.take()
    assign(process, script, [], outcome=folder / "outcome.json", jvm=jvm)
    sys.stderr.write(process.stdout.read().decode())
finally:
    pool.close()
"""
FINDINGS = """
from etltctl.diagnosis.machine import check_host
for found in check_host(None):
    print(f"{found.status} {found.subject}: {found.evidence} | {found.fix}")
"""
NAMELESS = ("env", "-u", "HOME", "-u", "USER", "-u", "LOGNAME")


def inside(*options: str) -> list[str]:
    """Return the start of a command inside new namespaces; skip the test if this machine allows none."""
    words = ["unshare", *options]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip(f"`{' '.join(words)}` is not allowed to this user on this machine")
    return words


def without_account() -> list[str]:
    """Return the start of a command as a user id without an account."""
    return [*inside("--user", f"--map-user={UID}"), *NAMELESS]


def with_limit(files: int, *words: str) -> list[str]:
    """Return the start of a command that may open at most `files` files."""
    return ["bash", "-c", f'ulimit -n {files}; exec "$@"', "bash", *words]


def with_host_name(name: str, *words: str) -> list[str]:
    return ["bash", "-c", f'hostname {name}; exec "$@"', "bash", *words]


def run(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=240)


def findings(*prefix: str, folder: Path) -> dict[str, str]:
    """Return the doctor's findings about the host, by subject."""
    done = run([*prefix, sys.executable, "-c", FINDINGS], folder)
    assert done.returncode == 0, done.stderr
    return {line.split(" ", 1)[1].partition(":")[0]: line for line in done.stdout.splitlines()}


@pytest.mark.spark
def test_spark_runs_for_a_user_without_an_account_and_a_host_name_that_does_not_resolve(
    tmp_path: Path,
) -> None:
    prefix = inside("--user", "--map-root-user", "--uts")
    nameless = ["unshare", "--user", f"--map-user={UID}", *NAMELESS]
    words = [
        *prefix,
        *with_host_name("no-such-host-xyz", *nameless, sys.executable, "-c", SPARK, str(tmp_path)),
    ]
    done = run(words, tmp_path)
    assert (tmp_path / "out" / "_SUCCESS").exists(), done.stderr[-2000:]


def test_a_java_that_may_open_too_few_files_is_reported_with_the_limit(tmp_path: Path) -> None:
    done = run(with_limit(256, sys.executable, "-c", SPARK, str(tmp_path)), tmp_path)
    assert "a process may open only 256 files (ulimit -n)" in done.stderr
    assert "Too many open files" in done.stderr.splitlines()[-1]


def test_the_server_opens_as_many_files_as_the_hard_limit_allows(tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    serving = [sys.executable, "-m", "etltctl.local.server", "--state", str(tmp_path / "state")]
    server = subprocess.Popen(["bash", "-c", 'ulimit -Sn 256; exec "$@"', "bash", *serving])
    try:
        wait_until(lambda: (tmp_path / "state" / "server" / "endpoint.json").exists())
        assert resource.prlimit(server.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        server.terminate()
        server.wait()


def test_a_loopback_that_is_down_is_named_by_every_command(tmp_path: Path) -> None:
    done = run([*inside("--net"), ETLTCTL, "athena", "query", "select 1"], tmp_path)
    assert done.returncode == 3
    assert "127.0.0.1 cannot be reached (Network is unreachable)" in done.stderr
    assert "next: bring the loopback interface up: ip link set lo up" in done.stderr


def test_the_doctor_finds_nothing_wrong_with_this_machine(tmp_path: Path) -> None:
    by_subject = findings(folder=tmp_path)
    assert set(by_subject) == {"user", "loopback", "open files", "host name"}
    assert by_subject["loopback"].startswith("ok ")


def test_the_doctor_names_a_user_without_an_account(tmp_path: Path) -> None:
    user = findings(*without_account(), folder=tmp_path)["user"]
    assert user.startswith(
        f"warn user: no account has this process's user id; jobs run as uid{UID} | set USER"
    )


def test_the_doctor_names_a_loopback_that_is_down(tmp_path: Path) -> None:
    by_subject = findings(*inside("--net"), folder=tmp_path)
    assert by_subject["loopback"].startswith("fail loopback: 127.0.0.1 cannot be reached")


def test_the_doctor_names_a_limit_of_open_files(tmp_path: Path) -> None:
    by_subject = findings(*with_limit(256), folder=tmp_path)
    assert by_subject["open files"].startswith("fail open files: a process may open only 256 files")


def test_the_doctor_names_a_host_name_that_does_not_resolve(tmp_path: Path) -> None:
    prefix = [*inside("--user", "--map-root-user", "--uts"), *with_host_name("no-such-host-xyz")]
    assert findings(*prefix, folder=tmp_path)["host name"].startswith(
        "warn host name: the host name no-such-"
    )
