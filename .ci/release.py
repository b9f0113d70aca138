"""Check that this checkout is ready to be released, and build the wheel and the sdist: `make release`.

Nothing is published, and no tag is made. Every problem is one line with its fix.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

from packaging.metadata import Metadata

PROJECT = Path(__file__).parents[1]
DATED = re.compile(r"^## (?P<version>\d+\.\d+\.\d+) - (?P<date>\d{4}-\d{2}-\d{2})$", re.MULTILINE)


class NotReadyError(Exception):
    """The checkout cannot be released as it is; the message says what to do."""


def main() -> int:
    """Check and build; return 1 if something is not ready."""
    try:
        version = project_version(PROJECT)
        check_changelog((PROJECT / "CHANGELOG.md").read_text("utf-8"), version)
        check_git(PROJECT, version)
        files = build(PROJECT, PROJECT / "dist")
        for file in files:
            check_package(file, version)
    except NotReadyError as problem:
        sys.stderr.write(f"not ready: {problem}\n")
        return 1
    sys.stdout.write("".join(f"{file.relative_to(PROJECT)}\n" for file in files))
    sys.stdout.write(f"etltctl {version} is ready; nothing was published\n")
    return 0


def project_version(project: Path) -> str:
    """Return the version in pyproject.toml."""
    return str(tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def check_changelog(text: str, version: str) -> None:
    """Raise NotReadyError unless the newest section is the version's, dated and not empty, and Unreleased is empty."""
    unreleased, _, rest = text.partition("## Unreleased\n")[2].partition("\n## ")
    if re.search(r"^- ", unreleased, re.MULTILINE):
        raise NotReadyError(f"CHANGELOG.md has entries under Unreleased; move them to a section of {version}")
    newest = DATED.match(f"## {rest}")
    if not newest or newest["version"] != version:
        raise NotReadyError(f"the newest section of CHANGELOG.md must be `## {version} - YEAR-MONTH-DAY`")
    if not re.search(r"^- ", rest.partition("\n## ")[0], re.MULTILINE):
        raise NotReadyError(f"the section {version} of CHANGELOG.md has no entry")


def check_git(project: Path, version: str) -> None:
    """Raise NotReadyError unless everything is committed and the commit has the version's tag."""
    if changed := _git(project, "status", "--porcelain"):
        raise NotReadyError(f"the checkout has changes that are not committed:\n{changed}")
    if f"v{version}" not in _git(project, "tag", "--points-at", "HEAD").split():
        raise NotReadyError(
            f"this commit has no tag v{version}; run git tag -a v{version} -m 'etltctl {version}'"
        )


def build(project: Path, folder: Path) -> list[Path]:
    """Build the wheel and the sdist with the installed backend, dated by the commit, and return their paths."""
    before = set(folder.glob("etltctl-*"))
    for file in before:
        file.unlink()
    environ = {**os.environ, "SOURCE_DATE_EPOCH": _git(project, "log", "-1", "--format=%ct")}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), "-t", "sdist", "-t", "wheel"]
    subprocess.run(command, cwd=project, env=environ, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("etltctl-*"))


def check_package(file: Path, version: str) -> None:
    """Raise NotReadyError unless the package's metadata are valid, are the version's, and its licence is in it."""
    texts = _texts(file)
    metadata = Metadata.from_email(_only(texts, r"(METADATA|PKG-INFO)$", file), validate=True)
    if (metadata.name, str(metadata.version)) != ("etltctl", version):
        raise NotReadyError(f"{file.name} says that it is {metadata.name} {metadata.version}")
    for field in ("summary", "description", "license_expression", "requires_python"):
        if not getattr(metadata, field):
            raise NotReadyError(f"{file.name} has no {field} in its metadata")
    _only(texts, r"/LICENSE$", file)
    if file.suffix == ".whl":
        _only(texts, r"entry_points\.txt$", file)
        _only(texts, r"^etltctl/py\.typed$", file)


def _texts(file: Path) -> dict[str, bytes]:
    """Return the files of a wheel or an sdist that the checks read."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(file) as sdist:
        members = [member for member in sdist.getmembers() if member.isfile() and member.name.count("/") == 1]
        return {member.name: sdist.extractfile(member).read() for member in members}  # type: ignore[union-attr]


def _only(texts: dict[str, bytes], pattern: str, file: Path) -> bytes:
    names = [name for name in texts if re.search(pattern, name)]
    if len(names) != 1:
        raise NotReadyError(f"{file.name} has {len(names)} files that match {pattern}, and must have one")
    return texts[names[0]]


def _git(project: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=project, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
