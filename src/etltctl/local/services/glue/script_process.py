"""The process that a Glue script runs in, as the server sees it: how it is started and given its script."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from etltctl.local.kernel.hosts import has_account, user_name
from etltctl.local.kernel.interpreter import python_command
from etltctl.local.services.glue.jvm import Jvm

WORKER = Path(__file__).parents[2] / "glue_worker"


class ScriptProcess(subprocess.Popen[bytes]):
    """A Python process that waits for its script, and the line on which the script asks for its JVM.

    Args:
        folder: Where it works, and the home that the script sees.
        environ: The whole environment of the script.
        has_spark: Whether the script is likely to use Spark, which is then loaded while the process waits.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], has_spark: bool = True) -> None:
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
                stderr=subprocess.PIPE,
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
    stdin.write(json.dumps(assignment).encode() + b"\n")
    stdin.flush()
