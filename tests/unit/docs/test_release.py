"""`make release` refuses a version that is not ready, and says what to do."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
sys.path.insert(0, str(PROJECT / ".ci"))

import release  # noqa: E402 - a script of the project's own check, outside of any package

READY = "# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2026-01-31\n\n### Added\n\n- A thing.\n"


def test_a_dated_section_of_the_version_with_entries_is_ready() -> None:
    release.check_changelog(READY, "1.2.0")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("## Unreleased\n", "## Unreleased\n\n- Another thing.\n", "entries under Unreleased"),
        ("- A thing.\n", "", "has no entry"),
        (" - 2026-01-31", "", "must be `## 1.2.0 - "),
        ("1.2.0", "1.1.0", "must be `## 1.2.0 - "),
    ],
)
def test_a_changelog_that_is_not_ready_is_refused(old: str, new: str, problem: str) -> None:
    with pytest.raises(release.NotReadyError, match=problem):
        release.check_changelog(READY.replace(old, new), "1.2.0")


def test_the_project_s_changelog_has_the_section_of_its_version() -> None:
    text = (PROJECT / "CHANGELOG.md").read_text("utf-8")
    assert f"\n## {release.project_version(PROJECT)} - " in text


def test_changes_and_a_missing_tag_are_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("1")
    with pytest.raises(release.NotReadyError, match="not committed"):
        release.check_git(tmp_path, "1.2.0")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "-m", "Begin")
    with pytest.raises(release.NotReadyError, match=r"git tag -a v1\.2\.0"):
        release.check_git(tmp_path, "1.2.0")
    git(tmp_path, "tag", "v1.2.0")
    release.check_git(tmp_path, "1.2.0")


def test_a_package_built_from_this_checkout_has_complete_metadata(tmp_path: Path) -> None:
    files = release.build(PROJECT, tmp_path)
    assert sorted(file.suffix for file in files) == [".gz", ".whl"]
    for file in files:
        release.check_package(file, release.project_version(PROJECT))


def test_a_package_of_another_version_or_without_a_licence_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "etltctl-1.0-py3-none-any.whl"
    head = "Metadata-Version: 2.4\nName: etltctl\nVersion: 1.0\nSummary: s\n"
    head += "License-Expression: MIT\nRequires-Python: >=3.11\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("etltctl-1.0.dist-info/METADATA", f"{head}\nText.\n")
    with pytest.raises(release.NotReadyError, match=r"says that it is etltctl 1\.0"):
        release.check_package(wheel, "1.2.0")
    with pytest.raises(release.NotReadyError, match="LICENSE"):
        release.check_package(wheel, "1.0")


def git(folder: Path, *arguments: str) -> None:
    author = ["-c", "user.name=n", "-c", "user.email=n@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *author, *arguments], cwd=folder, check=True, capture_output=True)
