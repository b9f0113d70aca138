"""One Glue job run: its script in a separate process, its lines in log files, its end in Glue's words."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO, TYPE_CHECKING, Any

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.spark_use import ARCHIVES, uses_spark
from etltctl.local.services.glue.jvm import Jvm, JvmFailedError, kill_group
from etltctl.local.services.glue.places import check_place
from etltctl.local.services.glue.progress_bar import keep_bars, without_pictures
from etltctl.local.services.glue.script_process import JvmLoan, ScriptProcess, assign
from etltctl.local.services.glue.spark import SparkPool, parse_conf
from etltctl.local.services.logs.service import GROUP_PREFIX, PROGRESS_BAR

if TYPE_CHECKING:
    from etltctl.local.services.s3.directory import S3Directory

EXTRA_FILES = ("--extra-py-files", "--extra-files")
FOR_GLUE_ITSELF = frozenset({"--conf", GROUP_PREFIX, *EXTRA_FILES})
PUMP_TIMEOUT_S = 2.0
BUCKET = re.compile(r"s3a?://([a-z0-9][a-z0-9.-]*)")


class GlueRun:
    """A run from STARTING to its end. The first cause of its end decides the final state."""

    def __init__(
        self,
        record: dict[str, Any],
        job: Mapping[str, Any],
        folder: Path,
        directory: S3Directory,
        pool: SparkPool,
        save: Callable[[dict[str, Any]], None],
        minute_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._record = record
        self._job = job
        self._folder = folder
        self._directory = directory
        self._pool = pool
        self._save = save
        self._minute_s = minute_s
        self._clock = clock
        self._lock = Lock()
        self._process: ScriptProcess | None = None
        self._ending: tuple[str, str] | None = None
        self._has_ended = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the run: its state is STOPPING now, and STOPPED as soon as its processes are gone."""
        self._end_as("STOPPED", "", meanwhile="STOPPING")

    def abandon(self, reason: str) -> None:
        """End it as failed and wait until it is recorded."""
        self._end_as("FAILED", reason)
        self._thread.join(PUMP_TIMEOUT_S * 2)

    def _end_as(self, state: str, message: str, meanwhile: str = "RUNNING") -> None:
        with self._lock:
            # The first reason counts: a run that is stopped while it times out has timed out.
            self._ending = self._ending or (state, message)
            process = self._process
        self._change(JobRunState=meanwhile)
        if process is not None and process.poll() is None:
            kill_group(process)

    def _run(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._check_buckets()
            settings = parse_conf(self._record["Arguments"].get("--conf", ""))
            script, files = self._fetch_code()
            has_spark = uses_spark(script, files)
            if has_spark and not settings:
                self._pool.warm(is_rehearsed=False)
            # Taken last, because a process that is taken has to be ended on every way out.
            process = self._pool.python(has_spark)
        except (AwsError, JvmFailedError, OSError, ValueError, LookupError) as error:
            self._finish("FAILED", f"LAUNCH ERROR | {error}")
            return
        loan = JvmLoan(process.line, partial(self._pool.take, settings), self._fail_launch)
        state, message = "FAILED", "the run broke off"
        try:
            state, message = self._execute(process, loan, script, files)
        except OSError as error:
            message = f"LAUNCH ERROR | {error}"
        finally:
            if process.poll() is None:
                kill_group(process)
            self._return(loan.end(), state == "SUCCEEDED")
            self._finish(state, message)

    def _return(self, jvm: Jvm | None, is_good: bool) -> None:
        """Give the JVM back that the script had, if it had one."""
        if jvm is None:
            return
        if is_good:
            self._pool.give_back(jvm)
            self._pool.prepare_python()
        else:
            self._pool.discard(jvm)

    def _fail_launch(self, reason: str) -> None:
        self._end_as("FAILED", f"LAUNCH ERROR | {reason}")

    def _execute(
        self, process: ScriptProcess, loan: JvmLoan, script: Path, files: list[Path]
    ) -> tuple[str, str]:
        outcome = self._folder / "outcome.json"
        with self._lock:
            if self._ending:
                return self._ending
            self._process = process
        python_path = [str(script.parent), *(str(file) for file in files if file.suffix in ARCHIVES)]
        with (
            (self._folder / "output.log").open("ab") as output,
            (self._folder / "error.log").open("ab") as error,
        ):
            # As from Glue 5 on: all that the script writes in one log, what Spark writes in the other.
            pump, bars = self._pump(process.stdout, output), self._bars(loan)
            assign(process, script, self._argv(), outcome=outcome, python_path=python_path)
            if not self._ending:
                self._change(JobRunState="RUNNING")
            self._await(process)
            kill_group(process)  # what the script may have left running
            pump.join(PUMP_TIMEOUT_S)
            loan.end()
            self._has_ended.set()
            bars.join(PUMP_TIMEOUT_S)
            _stamp(BytesIO(without_pictures(loan.log)), error, self._clock)
        return self._ending or _result(process.returncode, outcome)

    def _await(self, process: ScriptProcess) -> None:
        minutes = self._record["Timeout"]
        try:
            process.wait(minutes * self._minute_s)
        except subprocess.TimeoutExpired:
            self._end_as("TIMEOUT", f"The run exceeded its timeout of {minutes} minutes")

    def _pump(self, stream: IO[bytes] | None, file: IO[bytes]) -> Thread:
        pump = Thread(target=_stamp, args=(stream, file, self._clock), daemon=True)
        pump.start()
        return pump

    def _bars(self, loan: JvmLoan) -> Thread:
        """Keep the progress bar of Spark's stages while the run goes on."""
        file = self._folder / f"{PROGRESS_BAR}.log"
        bars = Thread(target=keep_bars, args=(loan.tail, file, self._has_ended, self._clock), daemon=True)
        bars.start()
        return bars

    def _check_buckets(self) -> None:
        """Spark would take a bucket without a folder for the root of this machine's file system."""
        for bucket in BUCKET.findall(" ".join(self._record["Arguments"].values())):
            if not self._directory.has_bucket(bucket):
                raise AwsError("NoSuchBucket", f"The specified bucket does not exist: {bucket}")

    def _fetch_code(self) -> tuple[Path, list[Path]]:
        """Return copies of the script and its modules, so that a later upload does not reach into the run."""
        code = self._folder / "code"
        code.mkdir(exist_ok=True)
        script = self._fetch(self._job["Command"]["ScriptLocation"], code)
        extra = ",".join(self._record["Arguments"].get(name, "") for name in EXTRA_FILES)
        files = [self._fetch(place.strip(), code) for place in extra.split(",") if place.strip()]
        return script, files

    def _fetch(self, place: str, folder: Path) -> Path:
        check_place("a job's file", place)
        bucket, _, key = place.removeprefix("s3://").partition("/")
        # Raises S3's own error for a missing object; copying would raise one of this machine's files.
        self._directory.head_object(bucket, key)
        return Path(shutil.copy(self._directory.file(bucket, key), folder))

    def _argv(self) -> list[str]:
        # Glue passes these two to every script, before its other arguments.
        named = {"--JOB_NAME": self._record["JobName"], "--JOB_RUN_ID": self._record["Id"]}
        arguments = {
            name: value for name, value in self._record["Arguments"].items() if name not in FOR_GLUE_ITSELF
        }
        return [word for pair in {**named, **arguments}.items() for word in pair]

    def _finish(self, state: str, message: str) -> None:
        now = self._clock()
        changes: dict[str, Any] = {
            "CompletedOn": now,
            "ExecutionTime": int(now - self._record["StartedOn"]),
            "DPUSeconds": 0.0,  # this machine costs nothing
        }
        if message:
            changes["ErrorMessage"] = message
        self._change(JobRunState=state, **changes)

    def _change(self, **changes: Any) -> None:
        with self._lock:
            # The thread of the run may report RUNNING after a stop has been asked for.
            is_stopping = self._record["JobRunState"] == "STOPPING" and "CompletedOn" not in changes
            if "CompletedOn" in self._record or is_stopping:
                return  # a run that is over, or about to be, does not come back
            self._record |= changes | {"LastModifiedOn": self._clock()}
            self._save(self._record)


def _stamp(lines: IO[bytes], file: IO[bytes], clock: Callable[[], float]) -> None:
    """Copy lines, each with the milliseconds since 1970 at which it came.

    Lines that the disk does not take are read all the same: a script whose output is not read would wait for ever.
    """
    for line in lines:
        if file.closed:
            return
        with suppress(OSError):
            file.write(b"%d\t%s\n" % (int(clock() * 1000), line.rstrip(b"\r\n")))
            file.flush()


def _result(status: int, outcome: Path) -> tuple[str, str]:
    if status == 0:
        return "SUCCEEDED", ""
    try:
        return "FAILED", json.loads(outcome.read_text())["error"]
    except (OSError, ValueError):
        return "FAILED", f"Command failed with exit code {status}"
