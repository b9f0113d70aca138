"""`etltctl local env` points a shell's clients to the embedded server."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from support.workplace import ETLTCTL, Workplace

pytestmark = pytest.mark.e2e

ANOTHER_USER = pwd.getpwuid(65534).pw_name if os.geteuid() == 0 else ""

CLIENT = """
import os, boto3, httpx
s3 = boto3.client("s3")
buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
s3.put_object(Bucket="pi-m3-bronze", Key="k", Body=b"linked")
link = s3.generate_presigned_url("get_object", Params={"Bucket": "pi-m3-bronze", "Key": "k"})
credentials = {name: os.environ[f"AIRBYTE_{name.upper()}"] for name in ("client_id", "client_secret")}
token = httpx.post(f"{os.environ['AIRBYTE_URL']}/applications/token", json=credentials).json()["access_token"]
named = httpx.get(f"{os.environ['AIRBYTE_URL']}/connections", headers={"Authorization": f"Bearer {token}"})
print("pi-m3-gold" in buckets, httpx.get(link).text, len(named.json()["data"]))
"""


def shell(place: Workplace, text: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Return a POSIX shell in the folder, in which `etltctl` and `python` are the installed ones."""
    text = f'etltctl() {{ "{ETLTCTL}" "$@"; }}; python() {{ "{sys.executable}" "$@"; }}; {text}'
    return subprocess.run(
        ["/bin/sh", "-c", text], cwd=place.folder, env=place.full_environ | environ, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip


def test_one_line_points_a_shell_s_clients_to_the_server(served: Workplace) -> None:
    """It does so whatever account the shell used before."""
    (served.folder / "client.py").write_text(CLIENT)
    mine = {
        "AWS_PROFILE": "mine", "AWS_DEFAULT_PROFILE": "mine", "AWS_SESSION_TOKEN": "mine",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "mine", "NO_PROXY": "intranet",
    }  # fmt: skip
    done = shell(served, 'eval "$(etltctl local env)" && python client.py && echo "$NO_PROXY"', **mine)
    assert (done.returncode, done.stdout) == (0, "True linked 2\nintranet,127.0.0.1\n"), done.stderr


def test_local_env_as_json_equals_the_shell_s_variables(served: Workplace) -> None:
    printed = served.json("local", "env")
    assert printed["environ"]["AWS_SECRET_ACCESS_KEY"] == served.keys.secret_access_key
    assert printed["environ"]["AWS_ENDPOINT_URL"] == served.json("local", "status")["url"]
    shown = shell(served, 'eval "$(etltctl local env)"; echo "$AIRBYTE_CLIENT_ID"').stdout
    assert shown == f"{printed['environ']['AIRBYTE_CLIENT_ID']}\n"


def test_without_a_server_local_env_names_the_command_that_starts_one_and_exports_nothing(
    workplace: Workplace,
) -> None:
    done = workplace.run("local", "env", code=3)
    assert "next: etltctl local up" in done.stderr
    assert done.stdout == ""
    assert not (workplace.folder / ".etltctl").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
@pytest.mark.parametrize(
    "command",
    ["local up", "local status", "local down", "local env", "athena tables", "sync mongodb"],
)
def test_a_state_folder_of_another_user_is_named_with_its_owner_and_the_fix(
    workplace: Workplace, command: str
) -> None:
    state = workplace.folder / ".etltctl"
    state.mkdir(mode=0o700)
    os.chown(state, 65534, 65534)
    try:
        done = workplace.run(*command.split(), code=3)
        assert str(state) in done.stderr
        assert f"belongs to {ANOTHER_USER}" in done.stderr
        assert "next: " in done.stderr
        assert list(state.iterdir()) == []
    finally:
        os.chown(state, 0, 0)


AS_ANOTHER_USER = """
import os, sys, etltctl.cli.app, etltctl.local.kernel.state_folder, etltctl.local.client.endpoints
from etltctl.cli.app import main
def run():
    try:
        main(sys.argv[2:])
    except SystemExit as ended:
        return ended.code
run()  # as root, in a valid folder: imports every module that the other user may not read
os.environ["ETLTCTL_STATE_DIR"] = sys.argv[1]
os.setuid(65534)
print("status", run())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("command", ["local status", "local down", "local env", "runs list", "runs show x"])
def test_a_user_who_may_not_read_the_state_folder_is_shown_its_owner(command: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state"
        (state / "runs").mkdir(parents=True)
        state.chmod(0o700)
        Path(name).chmod(0o755)
        measured = {name for name in os.environ if name.startswith("COVERAGE_")}  # root owns its file
        kept = {name: value for name, value in os.environ.items() if name not in measured}
        environ = {**kept, "ETLTCTL_STATE_DIR": f"{name}/other", "ETLTCTL_ENV": "local"}
        done = subprocess.run(
            [sys.executable, "-c", AS_ANOTHER_USER, str(state), *command.split()], cwd=name, env=environ,
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        errors = done.stderr[-600:]
        assert "status 3" in done.stdout, done.stderr
        assert f"{state} (mode 0700) belongs to root, and you are {ANOTHER_USER}" in errors
        assert "ETLTCTL_STATE_DIR" in errors
        assert "a bug" not in errors
