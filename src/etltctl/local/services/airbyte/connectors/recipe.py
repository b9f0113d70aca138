"""What a connector is made of: a low-code manifest, or a package of the index, and how Python starts it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from etltctl.errors import ConfigurationError
from etltctl.local.services.airbyte.connectors.environment import Environments, Report
from etltctl.local.services.airbyte.records import FailureKind, Pause, SyncError
from etltctl.settings.manifests import read_manifest, specification_of

# Started by these texts and not by the scripts in `bin`: those name the folder in which the environment was made.
# Linux ends them with the thread that started them (prctl(2): PR_SET_PDEATHSIG is 1), also if the server is killed.
LEASH = """\
import ctypes, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
"""
START_MANIFEST = f"{LEASH}from airbyte_cdk.cli.source_declarative_manifest import run; run()"
START_PACKAGE = (
    f"{LEASH}"
    """\
from importlib.metadata import distribution
name = sys.argv.pop(1)
scripts = [each for each in distribution(name).entry_points if each.group == "console_scripts"]
named = [each for each in scripts if each.name == name.removeprefix("airbyte-")] or scripts
if not named:
    sys.exit(f"the package {name} has no command, so it is not a connector")
sys.argv[0] = named[0].name
sys.exit(named[0].load()())
"""
)
COMPONENTS = "components.py"  # Python code next to a manifest, which the manifest names


class Recipe(Protocol):
    """How a connector is installed and started."""

    def environment(self, environments: Environments, pause: Pause, report: Report) -> Path:
        """Return the folder of its environment, made if need be.

        Args:
            environments: The environments of this machine.
            pause: Sleeps, and raises SyncCancelledError as soon as the sync is cancelled.
            report: Called with what a person who waits should see.

        Raises:
            SyncError: The environment cannot be made.
        """

    def command(self, python: Path, folder: Path, verb: str) -> list[str]:
        """Return the beginning of the command for a verb of the protocol.

        Args:
            python: The Python of its environment.
            folder: A private folder for files that the command names.
            verb: `spec`, `check`, `discover` or `read`.
        """

    def specification(self) -> Mapping[str, Any] | None:
        """Return the schema of its configuration if it is known without a start; else None.

        Raises:
            SyncError: The manifest cannot be read.
        """

    def variables(self) -> Mapping[str, str]:
        """Return the variables that it needs besides the usual ones."""


@dataclass(frozen=True)
class PackageRecipe:
    """A source package, as `NAME==VERSION`. `requirements` is a file of hashed requirements, if the project has one."""

    package: str
    requirements: Path | None = None

    def environment(self, environments: Environments, pause: Pause, report: Report) -> Path:
        """Return the folder of its environment."""
        if self.requirements is not None:
            return environments.of_file(self.requirements, pause, report)
        return environments.of_package(self.package, pause, report)

    def command(self, python: Path, folder: Path, verb: str) -> list[str]:  # noqa: ARG002
        """Return the beginning of the command."""
        return [str(python), "-I", "-c", START_PACKAGE, self.package.partition("==")[0], verb]

    def specification(self) -> None:
        """Return nothing: only the installed connector knows it."""

    def variables(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}


@dataclass(frozen=True)
class ManifestRecipe:
    """A low-code manifest, in a file or as it was sent to the API, run by airbyte-cdk."""

    requirements: Path
    file: Path | None = None
    content: Mapping[str, Any] | None = None

    def environment(self, environments: Environments, pause: Pause, report: Report) -> Path:
        """Return the folder of its environment."""
        self.specification()
        return environments.of_file(self.requirements, pause, report)

    def command(self, python: Path, folder: Path, verb: str) -> list[str]:
        """Return the beginning of the command."""
        file = self.file
        if file is None:
            file = folder / "manifest.yaml"
            file.write_text(json.dumps(self.content))  # JSON is YAML
        components = self._components()
        named = ["--components-path", str(components)] if components else []
        return [str(python), "-I", "-c", START_MANIFEST, verb, "--manifest-path", str(file), *named]

    def specification(self) -> Mapping[str, Any]:
        """Return the schema of its configuration."""
        return specification_of(self._manifest())

    def variables(self) -> Mapping[str, str]:
        """Return the variable without which airbyte-cdk does not run the code next to a manifest."""
        return {"AIRBYTE_ENABLE_UNSAFE_CODE": "true"} if self._components() else {}

    def _components(self) -> Path | None:
        neighbour = self.file.with_name(COMPONENTS) if self.file else None
        return neighbour if neighbour and neighbour.is_file() else None

    def _manifest(self) -> Mapping[str, Any]:
        if self.file is None:
            return self.content or {}
        try:
            return read_manifest(self.file)
        except ConfigurationError as error:
            raise SyncError(error.message, FailureKind.CONFIG) from error


def recipe_of(configuration: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a source as the stack describes it.

    Args:
        configuration: The source: `package`, or `manifest` (a path) or `manifest_content`, and `requirements` (a path).
    """
    requirements = configuration.get("requirements")
    if package := configuration.get("package"):
        return PackageRecipe(str(package), Path(requirements) if requirements else None)
    file = configuration.get("manifest")
    return ManifestRecipe(
        Path(str(requirements)), Path(file) if file else None, configuration.get("manifest_content")
    )
