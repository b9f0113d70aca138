"""The process a Glue script runs in: started ahead, it waits for one assignment on its input.

Its arguments are the file descriptor of the line on which it asks for a JVM, and `spark` if it is to load pyspark while
it waits. An assignment is one line of JSON: `script`, `argv`, `python_path`, `gateway` (port and secret of the JVM;
null if the script is to ask for one when it first uses Spark), `nameless_user` (a name for a user without an account),
`outcome` (the file to leave an error in). The script runs in a child, and this process adopts what the child leaves
running: it ends every descendant, whatever session it is in, before it ends as the child did. It ends with its parent
as well: when its input closes, it is gone, and so are the script and all that the script started.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import resource
import runpy
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

ERROR_CHARACTERS = 4000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
KILLING_S = 5.0  # for processes that start others while they are ended


def main() -> int:
    """Wait for the assignment, carry it out, and return the exit status."""
    os.set_inheritable(int(sys.argv[1]), False)  # the script's own processes have no part in it
    sys.meta_path.insert(0, SparkPreparation(int(sys.argv[1])))
    if "spark" in sys.argv[2:]:
        _load_spark()
    line = sys.stdin.readline()
    if not line:
        return 0
    # Before the fork: what the script leaves behind must already have a place to go.
    _adopt_orphans()
    child = os.fork()
    if child == 0:
        # The script runs in a child, so that this process outlives it and ends what it started.
        return _run_in_child(json.loads(line))
    Thread(target=_end_with_parent, daemon=True).start()
    _, status = os.waitpid(child, 0)
    kill_descendants(os.getpid())
    return _end_as(status)


def kill_descendants(root: int) -> None:
    """Kill every process that descends from `root`, which must adopt orphans, until none is left.

    A process that is killed hands its children to `root`, so the next round finds them.
    """
    deadline = time.monotonic() + KILLING_S
    while (alive := _descendants(root)) and time.monotonic() < deadline:
        for pid in alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def carry_out(assignment: dict[str, Any]) -> int:
    """Run the script as `__main__`; what it raised is left in the outcome file."""
    SparkPreparation.nameless_user = assignment.get("nameless_user") or ""
    if assignment["gateway"]:
        _name_gateway(assignment["gateway"])
    sys.path[:0] = assignment["python_path"]
    sys.argv = [assignment["script"], *assignment["argv"]]
    try:
        runpy.run_path(assignment["script"], run_name="__main__")
        _stop_spark()
    except SystemExit as ended:
        if ended.code in (None, 0):
            _stop_spark()
            return 0
        _tell(assignment, ended)
        return 1
    except BaseException as error:  # noqa: BLE001 - whatever the script raised is this process's result
        traceback.print_exc()
        _tell(assignment, error)
        return 1
    return 0


def _run_in_child(assignment: dict[str, Any]) -> int:
    # The kernel ends this child with its parent, even if the parent is killed.
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # the parent alone reads the input, whose end means: end
    os.close(null)
    return carry_out(assignment)


def _descendants(root: int) -> list[int]:
    """Return the live processes below `root`; none on a system without /proc."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            # A zombie has ended already: a signal to it changes nothing, and the caller's loop would go on.
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    below: set[int] = {root}
    while children := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= children
    return sorted(below - {root})


def _adopt_orphans() -> None:
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    """Ask Linux; elsewhere a job's group of processes is ended, and what left the group is not."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _end_as(status: int) -> int:
    """Return the child's exit status, or end by the signal that ended it."""
    if os.WIFSIGNALED(status):
        # The child has left its core file; a second one of this process would say nothing.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return os.waitstatus_to_exitcode(status)


class SparkPreparation:
    """An import hook: prepares pyspark when a process first imports it, be it before or within the script.

    Args:
        line: The file descriptor of the line on which the script asks for a JVM.
    """

    nameless_user = ""

    def __init__(self, line: int) -> None:
        self._line = line

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
        """Return how to import pyspark's gateway, prepared; None for every other module."""
        if name != "pyspark.java_gateway":
            return None
        # Removed first, or the search below would find this hook again.
        sys.meta_path.remove(self)
        spec: Any = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def load_and_prepare(module: Any) -> None:
            load(module)
            module.launch_gateway = self._when_asked(module.launch_gateway)
            _remember_java_names()

        # On the loader of this import alone: pyspark's own files stay as they are.
        spec.loader.exec_module = load_and_prepare
        return spec

    def _when_asked(self, launch: Callable[..., Any]) -> Callable[..., Any]:
        """Return pyspark's function that finds a JVM, with the server asked for one before."""

        def launch_gateway(*arguments: Any, **named: Any) -> Any:
            if "PYSPARK_GATEWAY_PORT" not in os.environ:
                _name_gateway(_ask_for_jvm(self._line))
            gateway = launch(*arguments, **named)
            if self.nameless_user:
                _log_in(gateway, self.nameless_user)
            return gateway

        return launch_gateway


def _ask_for_jvm(line: int) -> dict[str, Any]:
    """Return the address of a JVM; where there is none, the server ends the run and says why."""
    with socket.socket(fileno=os.dup(line)) as connection, connection.makefile("r") as answers:
        connection.sendall(b"?")
        answer = answers.readline()
    if not answer:
        raise RuntimeError("there is no JVM for Spark: see the run's error message")
    address: dict[str, Any] = json.loads(answer)
    return address


def _name_gateway(address: dict[str, Any]) -> None:
    """Tell pyspark, and any process of the script that uses it, where the JVM listens."""
    os.environ["PYSPARK_GATEWAY_PORT"] = str(address["port"])
    os.environ["PYSPARK_GATEWAY_SECRET"] = address["secret"]


def _load_spark() -> None:
    import pyspark.sql.functions
    import pyspark.sql.types
    import pyspark.sql.window  # noqa: F401


def _remember_java_names() -> None:
    """Have py4j ask Java for a name once.

    py4j asks at every use, and Java then looks the name up in each star import of PySpark against all of Spark's
    jars: an `F.col` cost 1.8 ms in the JVM, and 0.7 ms with its names remembered. What is remembered cannot change:
    classes, the members of classes, and the packages that stand at the root of every class path.
    """
    from py4j.java_gateway import JavaClass, JavaMember, JavaPackage, JVMView

    _remember(JVMView, lambda name, value: isinstance(value, JavaClass) or name in {"java", "org", "scala"})
    _remember(JavaPackage, lambda _, value: isinstance(value, JavaClass | JavaPackage))
    _remember(JavaClass, lambda _, value: isinstance(value, JavaMember))


def _remember(kind: Any, is_lasting: Callable[[str, Any], bool]) -> None:
    ask = kind.__getattr__

    def answer(self: Any, name: str) -> Any:
        value = ask(self, name)
        if is_lasting(name, value):
            self.__dict__[name] = value
        return value

    kind.__getattr__ = answer


def _log_in(gateway: Any, user: str) -> None:
    """Tell Hadoop who the user is. It would ask Java, which fails for a user id that no account has."""
    hadoop = gateway.jvm.org.apache.hadoop.security.UserGroupInformation
    hadoop.setLoginUser(hadoop.createRemoteUser(user))


def _stop_spark() -> None:
    """Stop the script's Spark, if it has used it, so that the JVM can serve the next run."""
    context = sys.modules.get("pyspark.context")
    if context is not None and context.SparkContext._active_spark_context:
        context.SparkContext._active_spark_context.stop()


def _tell(assignment: dict[str, Any], error: BaseException) -> None:
    summary = traceback.format_exception_only(error)[-1].strip()
    line = next((line for line in summary.splitlines() if line.strip()), type(error).__name__)
    Path(assignment["outcome"]).write_text(json.dumps({"error": line[:ERROR_CHARACTERS]}))


def _end_with_parent() -> None:
    # The input ends when the server's end of the pipe closes, however the server ended.
    while sys.stdin.readline():
        pass
    kill_descendants(os.getpid())
    # Without /proc no descendant is known; the group holds all that did not leave it.
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a thread the script left behind must not keep the run alive
