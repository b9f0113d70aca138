"""The programs that make environments: uv if it is on the PATH, else this Python's own venv and pip.

Both use the package index that the machine is configured for; none is named here.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from etltctl.local.services.airbyte.connectors.child_environment import install_environ
from etltctl.local.services.airbyte.connectors.process import ConnectorProcess, Launch
from etltctl.local.services.airbyte.records import FailureKind, Pause, SyncError, without_passwords

QUIET_S = 15 * 60.0  # a large package over a slow line
SHOWN_LINES = 8
NO_NETWORK = re.compile(
    r"dns error|Name or service not known|Temporary failure in name resolution|Connection refused|"
    r"No route to host|Network is unreachable|NewConnectionError|error sending request|client error \(Connect\)|"
    r"timed out",
    re.IGNORECASE,
)


class Installer(Protocol):
    """Makes environments and resolves requirements."""

    def install(self, environment: Path, requirements: Path, pause: Pause) -> None:
        """Make an environment in a folder that exists, with these hashed requirements.

        Args:
            environment: The folder.
            requirements: The file of the requirements.
            pause: Sleeps, and raises SyncCancelledError as soon as the sync is cancelled.

        Raises:
            SyncError: It cannot be made.
        """

    def resolve(self, package: str, folder: Path, pause: Pause) -> str:
        """Return the hashed requirements of a package.

        Args:
            package: The package, as `NAME==VERSION`.
            folder: A folder for the files of the resolution.
            pause: Sleeps, and raises SyncCancelledError as soon as the sync is cancelled.

        Raises:
            SyncError: They cannot be resolved.
        """


def find_installer(environ: Mapping[str, str]) -> Installer:
    """Return uv's installer if uv is on the PATH of these variables, else pip's."""
    uv = shutil.which("uv", path=environ.get("PATH"))
    return UvInstaller(uv, environ) if uv else PipInstaller(environ)


def python_of(environment: Path) -> Path:
    """Return the Python of an environment."""
    return environment / "bin" / "python"


@dataclass(frozen=True)
class UvInstaller:
    """Environments by uv."""

    uv: str
    environ: Mapping[str, str]

    def install(self, environment: Path, requirements: Path, pause: Pause) -> None:
        """Make the environment."""
        make = (self.uv, "venv", "--quiet", "--no-python-downloads", "--allow-existing")
        run([*make, "--python", sys.executable, str(environment)], environment, self.environ, pause)
        install = (self.uv, "pip", "install", "--require-hashes", "--python", str(python_of(environment)))
        run([*install, "-r", str(requirements)], environment, self.environ, pause)

    def resolve(self, package: str, folder: Path, pause: Pause) -> str:
        """Return the hashed requirements."""
        package_file, locked = folder / "package.in", folder / "package.txt"
        package_file.write_text(f"{package}\n")
        compile_ = (self.uv, "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate")
        options = ("--no-emit-index-url", "--no-emit-find-links", "--python", sys.executable)
        run([*compile_, *options, str(package_file), "-o", str(locked)], folder, self.environ, pause)
        return locked.read_text()


@dataclass(frozen=True)
class PipInstaller:
    """Environments by the standard library's venv, and the pip that comes with it."""

    environ: Mapping[str, str]

    def install(self, environment: Path, requirements: Path, pause: Pause) -> None:
        """Make the environment."""
        run([sys.executable, "-I", "-m", "venv", str(environment)], environment, self.environ, pause)
        pip = self._pip(environment)
        run([*pip, "install", "--require-hashes", "-r", str(requirements)], environment, self.environ, pause)

    def resolve(self, package: str, folder: Path, pause: Pause) -> str:
        """Return the hashed requirements: those of the files that pip would install."""
        run([sys.executable, "-I", "-m", "venv", str(folder / "pip")], folder, self.environ, pause)
        report = folder / "report.json"
        dry_run = ("install", "--dry-run", "--ignore-installed", "--report", str(report), package)
        run([*self._pip(folder / "pip"), *dry_run], folder, self.environ, pause)
        return "\n".join(_requirements(json.loads(report.read_text()))) + "\n"

    def _pip(self, environment: Path) -> tuple[str, ...]:
        return (str(python_of(environment)), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input")


def _requirements(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a hashed requirement for each package of pip's report."""
    for each in report["install"]:
        named = each["metadata"]
        sha256 = each["download_info"]["archive_info"]["hashes"]["sha256"]
        yield f"{named['name']}=={named['version']} --hash=sha256:{sha256}"


def run(command: Sequence[str], folder: Path, environ: Mapping[str, str], pause: Pause) -> None:
    """Run one command of an installer.

    Args:
        command: The command.
        folder: Its working folder.
        environ: The variables of the server.
        pause: Sleeps, and raises SyncCancelledError as soon as the sync is cancelled.

    Raises:
        SyncError: It failed. The message has its last lines, without a password of an address in them.
    """
    launch = Launch(command, install_environ(environ), folder)
    process = ConnectorProcess(launch, pause, lambda _: None, name=Path(command[0]).name, quiet_s=QUIET_S)
    try:
        printed = [*process.lines()]
        code = process.wait()
    finally:
        process.end()
    if code == 0:
        return
    lines = [line.decode(errors="replace").strip() for line in (process.last_lines or printed)]
    said = without_passwords(" / ".join(lines[-SHOWN_LINES:]))
    program = Path(command[0]).name
    if NO_NETWORK.search(" ".join(lines)):
        raise SyncError(
            f"{program} cannot reach the package index that this machine is configured for: {said}",
            FailureKind.TRANSIENT,
        )
    raise SyncError(f"{program} cannot install the connector's packages: {said}", FailureKind.CONFIG)
