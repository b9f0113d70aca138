"""What the clients of other makers do with the embedded lake, and what it refuses to them, from their tests.

A test names its client by the marker `client`, and with `refuses=` the operation whose refusal it checks. A test
without the marker counts for the name of its file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from support.tallies import PROPERTY, Counts, Tally

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "tests" / "system" / "clients"
COLUMNS = ("works", "refused")
TALLY = Tally("clients of other makers: checks", (*COLUMNS, "fails"), "fails")


def entry_of(item: pytest.Item) -> tuple[str, Any]:
    """Return the property that counts a test under its client."""
    marker = item.get_closest_marker("client")
    name = marker.args[0] if marker else item.path.stem.removeprefix("test_").replace("_", " ")
    refused = marker.kwargs.get("refuses", "") if marker else ""
    return TALLY.entry(name, "refused" if refused else "works", refused)


class Collector:
    """A plugin of pytest that counts the tests that were collected."""

    def __init__(self) -> None:
        self.counts = Counts(COLUMNS)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count what each test recorded about itself."""
        for item in session.items:
            *_, row, column, note = dict(item.user_properties)[PROPERTY]
            self.counts.add(row, column, note)


def collected_table() -> str:
    """Collect the tests in a process that runs none of them, and return their counts as a table of a page."""
    done = subprocess.run(
        [sys.executable, "-c", "from support.client_checks import print_table; print_table()"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def print_table() -> None:
    """Print the table, and below it what is refused to each client."""
    collector = Collector()
    with redirect_stdout(sys.stderr):
        code = pytest.main(["--collect-only", "-s", "-qq", str(FOLDER)], plugins=[collector])
    if code != pytest.ExitCode.OK:
        sys.exit(int(code))
    refused = [
        f"\n{name}: {', '.join(f'`{note}`' for note in sorted(notes))}.\n"
        for name, notes in sorted(collector.counts.notes.items())
    ]
    print(collector.counts.markdown("client"), *refused, sep="", end="")
