"""The Python environments of connectors, made on demand: one for each set of requirements, by the hash of them.

The pins of airbyte-cdk contradict those of etltctl, and connectors contradict each other, so none shares one. Every
file that is installed has a hash. An environment is made in another folder and renamed, so that a killed process leaves
none that is half made.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from etltctl.local.kernel.state_files import write_atomically
from etltctl.local.services.airbyte.connectors.installers import Installer, find_installer
from etltctl.local.services.airbyte.records import FailureKind, Pause, SyncError

READY = ".ready"  # a file in every environment that is whole
HASH = re.compile(r"--hash[= ]sha256:[0-9a-f]{64}")
LOCK_PAUSE_S = 0.5

Report = Callable[[str], None]  # takes a line about the progress


class Environments:
    """The environments below one folder."""

    def __init__(
        self, folder: Path, environ: Mapping[str, str], find: Callable[..., Installer] = find_installer
    ) -> None:
        self._folder = folder
        self._environ = environ
        self._find = find

    def of_file(self, requirements: Path, pause: Pause, report: Report) -> Path:
        """Return the folder of the environment that a file of hashed requirements describes, made if need be.

        Args:
            requirements: The file.
            pause: Sleeps, and raises SyncCancelledError as soon as the sync is cancelled.
            report: Gets what takes long.

        Raises:
            SyncError: The file is missing or has requirements without a hash, or they cannot be installed.
        """
        return self._made(_hashed(requirements), pause, report)

    def of_package(self, package: str, pause: Pause, report: Report) -> Path:
        """Return the folder of the environment of one package and all that it needs.

        The first time, versions and hashes are resolved and kept; every later installation uses the same ones.

        Args:
            package: The package, as `NAME==VERSION`.
            pause: Sleeps, and raises SyncCancelledError as soon as the sync is cancelled.
            report: Gets what takes long.

        Raises:
            SyncError: The package cannot be resolved or installed.
        """
        return self._made(self._lock_of(package, pause, report), pause, report)

    def lock_file(self, package: str) -> Path:
        """Return where the hashed requirements of a package are kept."""
        minor = f"{sys.version_info.major}.{sys.version_info.minor}"
        return self._folder / "locks" / f"{package}-py{minor}.txt"

    def _lock_of(self, package: str, pause: Pause, report: Report) -> str:
        file = self.lock_file(package)
        with self._only_one(file.name, pause):
            if not file.is_file():
                report(f"resolving {package}, once")
                with tempfile.TemporaryDirectory(prefix="resolve-", dir=self._folder) as folder:
                    text = self._find(self._environ).resolve(package, Path(folder), pause)
                write_atomically(file, text.encode())
        return _hashed(file)

    def _made(self, requirements: str, pause: Pause, report: Report) -> Path:
        key = environment_key(requirements)
        environment = self._folder / key
        if (environment / READY).is_file():
            return environment
        with self._only_one(key, pause):
            if not (environment / READY).is_file():
                self._make(key, requirements, pause, report)
        return environment

    def _make(self, key: str, requirements: str, pause: Pause, report: Report) -> None:
        # Only the holder of the lock makes it, so that a folder here is of a process that was killed.
        for left in self._folder.glob(f"{key}.making-*"):
            shutil.rmtree(left, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix=f"{key}.making-", dir=self._folder))
        try:
            count = len(re.findall(r"^[A-Za-z0-9][\w.\[\]-]*==", requirements, re.MULTILINE))
            report(f"making the connector's environment: {count} packages, once; it takes a minute or more")
            file = making / "requirements.txt"
            file.write_text(requirements)
            self._find(self._environ).install(making, file, pause)
            (making / READY).touch()
            shutil.rmtree(self._folder / key, ignore_errors=True)
            making.rename(self._folder / key)
            report("the connector's environment is ready")
        finally:
            shutil.rmtree(making, ignore_errors=True)

    @contextmanager
    def _only_one(self, name: str, pause: Pause) -> Iterator[None]:
        """Hold the lock of a name. The system gives it back when the process ends, however it ends."""
        (self._folder / "locks").mkdir(parents=True, exist_ok=True)
        with (self._folder / "locks" / f"{name}.lock").open("w") as file:
            while not _locked(file.fileno()):
                pause(LOCK_PAUSE_S)
            yield


def environment_key(requirements: str) -> str:
    """Return the name of the environment of these requirements, for this Python on this kind of machine."""
    python = (
        f"{platform.python_implementation()} {platform.python_version()} {sys.platform} {platform.machine()}"
    )
    return hashlib.sha256(f"{python}\n{requirements}".encode()).hexdigest()[:20]


def _hashed(file: Path) -> str:
    """Return the requirements in a file; raise SyncError unless each has a hash."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SyncError(f"the requirements {file} cannot be read: {error}", FailureKind.CONFIG) from error
    blocks = re.split(r"\n(?=\S)", text.strip())
    bare = [
        block
        for block in blocks
        if block.strip() and not block.startswith(("#", "-")) and not HASH.search(block)
    ]
    if bare or not HASH.search(text):
        first = bare[0].split()[0] if bare else "no requirement"
        raise SyncError(
            f"{file}: {first} has no sha256 hash; make the file with `uv pip compile --generate-hashes`",
            FailureKind.CONFIG,
        )
    return text


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
