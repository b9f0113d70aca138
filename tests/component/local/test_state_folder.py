"""The state folder and its keys: closed to other users, and no key goes to a server of another folder."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from etltctl.errors import ConfigurationError
from etltctl.local.client import find_server, stop_server
from etltctl.local.client.live_server import Server, described
from etltctl.local.kernel.keys import Keys, keep_keys, key_file, read_keys
from etltctl.local.kernel.state_folder import check_owner, prepare_folder
from etltctl.settings import Settings, load_settings
from support.served import Served, serve

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def mode(place: Path) -> int:
    return stat.S_IMODE(place.stat().st_mode)


def settings_of(state: Path) -> Settings:
    return load_settings(env="local", directory=state.parent, flags={"state": str(state)})


def test_a_new_folder_and_its_keys_are_closed_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        prepare_folder(tmp_path / "state")
        keep_keys(tmp_path / "state")
    finally:
        os.umask(before)
    assert (mode(tmp_path / "state"), mode(key_file(tmp_path / "state"))) == (0o700, 0o600)


@pytest.mark.parametrize("inside", [[], ["server"], ["runs"], ["s3", "mine.txt"]])
def test_an_open_folder_of_etltctl_is_closed(tmp_path: Path, inside: list[str]) -> None:
    for name in inside:
        (tmp_path / "state" / name).mkdir(parents=True)
    (tmp_path / "state").mkdir(exist_ok=True)
    (tmp_path / "state").chmod(0o775)
    prepare_folder(tmp_path / "state")
    assert mode(tmp_path / "state") == 0o700


def test_an_open_folder_with_other_files_is_refused_and_left_unchanged(tmp_path: Path) -> None:
    """The folder might be the user's home, or the folder for everyone's temporary files."""
    (tmp_path / "home" / "letters").mkdir(parents=True)
    (tmp_path / "home").chmod(0o755)
    with pytest.raises(ConfigurationError, match="open to other users") as caught:
        prepare_folder(tmp_path / "home")
    assert f"chmod 700 {tmp_path / 'home'}" in caught.value.hint
    assert (mode(tmp_path / "home"), [p.name for p in (tmp_path / "home").iterdir()]) == (0o755, ["letters"])


@only_root
@pytest.mark.parametrize("place", ["", "server", "server/moto.pickle", "airbyte"])
def test_a_file_of_another_user_is_refused_by_name(tmp_path: Path, place: str) -> None:
    state = tmp_path / "state"
    prepare_folder(state)
    (state / place).parent.mkdir(exist_ok=True)
    if not (state / place).exists():
        (state / place).touch()
    os.chown(state / place, 65534, 65534)
    with pytest.raises(ConfigurationError, match=f"belongs to {pwd.getpwuid(65534).pw_name}") as caught:
        check_owner(state)
    assert str(state / place) in caught.value.message
    assert "chown" in caught.value.hint


@only_root
def test_a_user_without_a_name_and_a_home_has_keys_too() -> None:
    program = (
        "import os, sys, pathlib\n"
        "from etltctl.local.kernel.keys import keep_keys\n"
        "from etltctl.local.kernel.state_folder import prepare_folder, user_name\n"
        "state = pathlib.Path(sys.argv[1])\n"
        "os.setuid(424242)\n"
        "prepare_folder(state)\n"
        "print(user_name(os.geteuid()), keep_keys(state) == keep_keys(state))\n"
    )
    environ = {name: value for name, value in os.environ.items() if name not in {"HOME", "USER", "LOGNAME"}}
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, 424242, 424242)
        done = subprocess.run(
            [sys.executable, "-c", program, f"{name}/state"], env=environ, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
    assert done.stdout == "user 424242 True\n", done.stderr


def test_keys_are_created_once_even_if_many_processes_ask(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "state")
    program = (
        "import sys, pathlib; from etltctl.local.kernel.keys import keep_keys;"
        "print(keep_keys(pathlib.Path(sys.argv[1])).access_key_id)"
    )
    asking = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path / "state"], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    assert len({process.communicate(timeout=120)[0] for process in asking}) == 1
    assert list((tmp_path / "state" / "server").glob(".keys*")) == []


def test_keys_differ_from_folder_to_folder_and_show_no_secret(tmp_path: Path) -> None:
    all_keys = []
    for name in ("one", "two"):
        prepare_folder(tmp_path / name)
        all_keys.append(keep_keys(tmp_path / name))
    assert all_keys[0] != all_keys[1]
    assert all_keys[0].secret_access_key not in repr(all_keys[0])
    assert all_keys[0].server_key not in repr(all_keys[0])


def test_a_key_file_that_is_a_link_or_damaged_is_refused_with_the_fix(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "state")
    file = key_file(tmp_path / "state")
    (tmp_path / "other").write_text(json.dumps({}))
    file.symlink_to(tmp_path / "other")
    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            read_keys(tmp_path / "state")
        assert f"rm {file}" in caught.value.hint
        file.unlink()
        file.write_text("{}")


def test_no_key_is_sent_to_a_port_that_another_process_serves_now(tmp_path: Path) -> None:
    """This happens after a kill of the server if another user of the machine listens at its port."""
    received: list[str] = []

    class Impostor(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.append(str(self.headers))
            body = json.dumps({"status": "ok", "pid": os.getpid(), "proof": "0" * 64}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    state = tmp_path / "state"
    prepare_folder(state)
    keys = keep_keys(state)
    impostor = HTTPServer(("127.0.0.1", 0), Impostor)
    Thread(target=impostor.serve_forever, daemon=True).start()
    endpoint = {"url": "http://127.0.0.1", "port": impostor.server_port, "pid": os.getpid(), "kept": True}
    (state / "server" / "endpoint.json").write_text(json.dumps(endpoint))
    assert find_server(settings_of(state)) is None
    assert received
    assert not [text for text in received if keys.server_key in text or keys.secret_access_key in text]
    impostor.shutdown()


def test_a_server_proves_itself_only_for_its_own_port(server: Served) -> None:
    genuine = Server("http://127.0.0.1", server.port, 0, True, server.state, server.keys)
    assert genuine.is_genuine()
    assert not Server("http://127.0.0.1", server.port, 0, True, server.state, Keys.make()).is_genuine()
    assert server.keys.proof("c", server.port) != server.keys.proof("c", server.port + 1)


def test_a_server_whose_keys_were_removed_can_still_be_stopped(tmp_path: Path) -> None:
    with serve(tmp_path / "state", "--keep") as served:
        key_file(served.state).unlink()
        stopped = stop_server(settings_of(served.state))
        assert stopped is not None
        assert stopped.pid == served.process.pid
        assert served.process.wait(60) in {0, -signal.SIGKILL}  # by force on a slow machine


def test_a_copied_folder_has_a_server_of_another_folder_and_does_not_use_it(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    with serve(original, "--keep"):
        assert described(original) is not None
        shutil.copytree(original, copy, ignore=shutil.ignore_patterns("*.lock", "*.sock"))
        assert described(copy) is None
        original.rename(tmp_path / "renamed")
        assert described(tmp_path / "renamed") is not None
        (tmp_path / "renamed").rename(original)
