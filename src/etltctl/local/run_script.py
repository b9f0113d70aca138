"""The process a Glue script runs in: started ahead with pyspark loaded, it waits for one assignment on its input.

An assignment is one line of JSON: `script`, `argv`, `python_path`, `gateway` (port and secret of the JVM),
`nameless_user` (a name for a user without an account), `outcome` (the file to leave an error in). The process ends
with its parent: when its input closes, it is gone.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path
from threading import Thread
from typing import Any

ERROR_CHARACTERS = 4000


def main() -> int:
    """Waits for the assignment, carries it out, and returns the exit status."""
    _load_spark()
    line = sys.stdin.readline()
    if not line:
        return 0
    Thread(target=_end_with_parent, daemon=True).start()
    return carry_out(json.loads(line))


def carry_out(assignment: dict[str, Any]) -> int:
    """Runs the script as `__main__`; what it raised is left in the outcome file."""
    os.environ["PYSPARK_GATEWAY_PORT"] = str(assignment["gateway"]["port"])
    os.environ["PYSPARK_GATEWAY_SECRET"] = assignment["gateway"]["secret"]
    sys.path[:0] = assignment["python_path"]
    sys.argv = [assignment["script"], *assignment["argv"]]
    try:
        if assignment.get("nameless_user"):
            _log_in(assignment["nameless_user"])
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


def _load_spark() -> None:
    import pyspark.sql.functions
    import pyspark.sql.types
    import pyspark.sql.window  # noqa: F401


def _log_in(user: str) -> None:
    """Tell Hadoop who the user is. It would ask Java, which fails for a user id that no account has."""
    from pyspark import SparkContext

    SparkContext._ensure_initialized()
    jvm: Any = SparkContext._jvm
    hadoop = jvm.org.apache.hadoop.security.UserGroupInformation
    hadoop.setLoginUser(hadoop.createRemoteUser(user))


def _stop_spark() -> None:
    from pyspark import SparkContext

    if SparkContext._active_spark_context:
        SparkContext._active_spark_context.stop()


def _tell(assignment: dict[str, Any], error: BaseException) -> None:
    summary = traceback.format_exception_only(error)[-1].strip()
    line = next((line for line in summary.splitlines() if line.strip()), type(error).__name__)
    Path(assignment["outcome"]).write_text(json.dumps({"error": line[:ERROR_CHARACTERS]}))


def _end_with_parent() -> None:
    while sys.stdin.readline():
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a thread the script left behind must not keep the run alive
