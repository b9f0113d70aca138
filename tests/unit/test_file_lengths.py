"""No file of the code and the tests is longer than a reader takes in at once."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parents[2]
LONGEST = 300
EXCEPTIONS: dict[str, str] = {}
"""Files that may be longer, by their path, each with the reason why it cannot be cut by subject. There are none."""


def test_no_file_has_more_than_300_lines() -> None:
    files = [file for folder in ("src", "tests") for file in (PROJECT / folder).rglob("*.py")]
    lines = {str(file.relative_to(PROJECT)): len(file.read_text("utf-8").splitlines()) for file in files}
    assert len(lines) > 100, "the files were found"
    assert {path for path, count in lines.items() if count > LONGEST} == EXCEPTIONS.keys()
