"""Forked commands in tests: each behaves as the installed script does."""

from __future__ import annotations

import os
import pty
import signal
import subprocess

import pytest

from support.forked import Command, is_same_python
from support.workplace import ETLTCTL, Workplace

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("--version", 0),
        ("run --help", 0),
        ("config show -o json", 0),
        ("config show", 0),
        ("local status", 0),
        ("run mongodbb", 2),
        ("runs show nothing", 2),
        ("no-such-command", 2),
        ("--env prod config show", 3),
        ("local env", 3),
    ],
)
def test_a_forked_script_keeps_its_output_errors_and_exit_code(
    workplace: Workplace, command: str, code: int
) -> None:
    environ = {"ETLTCTL__ATHENA__WORKGROUP": "são", "TZ": "Asia/Tokyo"}
    forked = workplace.run(*command.split(), code=code, **environ)
    installed = workplace.run_installed(*command.split(), code=code, **environ)
    assert (forked.stdout, forked.stderr) == (installed.stdout, installed.stderr)
    assert forked.stdout + forked.stderr


def test_each_forked_process_has_its_id_and_ends_by_the_signal_sent(served: Workplace) -> None:
    slow = {"ETLTCTL__SOURCES__API__RATE": "1/s"}
    ended = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        name = f"ended-by-{number}"
        words = [ETLTCTL, "sync", "api", "--run-id", name, "--new", "--events", "-", "--on-interrupt", "stop"]
        sync = Command(words, cwd=served.folder, env=served.full_environ | slow, stdout=subprocess.PIPE)
        assert sync.stdout is not None
        while "remote.started" not in (line := sync.stdout.readline()):
            assert line, "it ended before it had started anything"
        assert sync.poll() is None
        sync.send_signal(number)
        ended[sync.pid] = sync.wait(60)
    served.run("runs", "cancel", name)  # the sync of the killed run
    assert list(ended.values()) == [130, 143, -signal.SIGKILL]


def test_a_forked_process_sees_a_terminal_and_can_lead_a_session(workplace: Workplace) -> None:
    terminal, inside = pty.openpty()
    command = Command(
        [ETLTCTL, "--help"],
        cwd=workplace.folder,
        env=workplace.full_environ,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
    )
    os.close(inside)
    shown = os.read(terminal, 1 << 16).decode()
    assert command.wait(60) == 0
    os.close(terminal)
    assert "Usage: etltctl" in shown


@pytest.mark.parametrize("name", ["PYTHONUTF8", "PYTHONPATH", "LC_ALL", "LANG"])
def test_variables_that_python_reads_at_its_start_need_a_new_interpreter(name: str) -> None:
    assert is_same_python(os.environ)
    assert not is_same_python({**os.environ, name: "something else"})
