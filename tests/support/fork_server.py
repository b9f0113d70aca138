"""A process that has imported everything that a command needs, and forks once for every command.

`forked.Command` sends a request over the socket whose number is the only argument: how the command starts, as JSON, and
four files: standard input, output and error, and the pipe for the report. The report is two numbers: the id of the
process, and its exit status once it has ended. The server ends when the other end of the socket is closed.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import boto3
import botocore.session
import httpx
import httpx._transports.default as transports
import pyarrow.parquet
import tenacity

import etltctl
from etltctl.cli import main

# Modules that only other processes import, or that need packages of other extras.
ELSEWHERE = (
    "etltctl.__main__",
    "etltctl.airflow",
    "etltctl.local.",
    "etltctl.scaffold.files",
    "etltctl.testing",
)
OF_THE_COMMAND = ("client", "kernel.hosts", "kernel.state_files", "services.glue.class_archive")
PRELOADED = (boto3, httpx, pyarrow.parquet, tenacity)
SERVICES = ("athena", "glue", "lakeformation", "logs", "s3", "sts")
LARGEST_REQUEST = 1 << 20
FILES = 4


def preload() -> None:
    """Import the modules of commands, and make the garbage collector skip them in every child."""
    root = Path(etltctl.__file__).parents[1]
    for file in sorted(root.glob("etltctl/**/*.py")):
        name = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        if not name.startswith(ELSEWHERE):
            import_module(name)
    for name in OF_THE_COMMAND:
        import_module(f"etltctl.local.{name}")
    load_descriptions()
    gc.collect()
    gc.freeze()


def load_descriptions() -> None:
    """Load the files that botocore and httpx read for every client: 0.2 s of processor time in most commands."""
    botocore.session.create_loader = cache(botocore.session.create_loader)
    session = boto3.Session("none", "none", region_name="us-east-1")
    for service in SERVICES:
        session.client(service, endpoint_url="http://127.0.0.1:9")
    create_context = transports.create_ssl_context
    shared = cache(lambda environ, *options: create_context(*options))

    def create_shared(verify: Any = True, cert: Any = None, trust_env: bool = True) -> Any:
        named = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
        return shared(named, verify, cert, trust_env)

    transports.create_ssl_context = create_shared
    httpx.Client().close()


def serve(control: socket.socket) -> None:
    """Fork for every request, and report how each child ends, until the other end is closed."""
    ring, bell = os.pipe()
    os.set_blocking(bell, False)
    signal.set_wakeup_fd(bell)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C must reach only the commands
    reports: dict[int, int] = {}  # report pipes by process
    while True:
        ready, _, _ = select.select([control, ring], [], [])
        if ring in ready:
            os.read(ring, 4096)
            report_ended(reports)
        if control in ready:
            text, files, _, _ = socket.recv_fds(control, LARGEST_REQUEST, FILES)
            if not text:
                return
            *streams, report = files
            child = os.fork()
            if child == 0:
                for number in (*reports.values(), report, ring, bell, control.detach()):
                    os.close(number)
                run(json.loads(text), streams)
            for number in streams:
                os.close(number)
            reports[child] = report
            os.write(report, b"%d\n" % child)


def report_ended(reports: dict[int, int]) -> None:
    """Report the exit status of every child that has ended."""
    while reports:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        report = reports.pop(child)
        with suppress(BrokenPipeError):  # the test no longer waits for it
            os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(report)


def run(request: dict[str, Any], streams: list[int]) -> NoReturn:
    """Run the command in this child and exit at once: Python's usual clean-up of modules takes time."""
    code: object = 1
    try:
        become(request, streams)
        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - as Python itself ends a process
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]  # multiprocessing ends its forks so, too
    atexit._run_exitfuncs()  # coverage writes its data here
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status_of(code))


def status_of(code: object) -> int:
    """Return the exit status of a `SystemExit` code; a message is printed, as Python does."""
    if code is None or isinstance(code, int):
        return code or 0
    os.write(2, f"{code}\n".encode())
    return 1


def become(request: dict[str, Any], streams: list[int]) -> None:
    """Take the folder, environment, session and streams of the command."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["start_new_session"]:
        os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = request["arguments"]
    encoding, buffering = sys.stdout.encoding, 1 if os.isatty(1) else -1
    sys.stdin = sys.__stdin__ = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", buffering, encoding, closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, encoding, "backslashreplace", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    preload()
    serve(socket.socket(fileno=int(sys.argv[1])))
