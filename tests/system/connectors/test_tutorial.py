"""The tutorial's chapter on an own API: its files, its commands and what they print, in the order of the page."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from support.ports import free_port
from support.transcripts import PROJECT, agree, transcripts
from support.workplace import Workplace

pytestmark = pytest.mark.cdk
PAGE = "docs/tutorial/your-own-api.md"
PORT = "127.0.0.1:8099"  # as the page calls it
# Exit codes of the commands that fail on the page: the contract stops the second run.
CODES = {("run ships", 2): 5}


def blocks(language: str) -> list[str]:
    text = (PROJECT / PAGE).read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@contextmanager
def api(folder: Path, port: int) -> Iterator[None]:
    """Run the page's API within the block."""
    script = folder / "ships_api.py"
    script.write_text(blocks("python")[0])
    with subprocess.Popen([sys.executable, str(script), str(port)], stderr=subprocess.DEVNULL) as process:
        try:
            _await_answer(f"http://127.0.0.1:{port}/")
            yield
        finally:
            process.terminate()


def _await_answer(url: str) -> None:
    for _ in range(100):
        try:
            urlopen(url, timeout=5).close()
        except HTTPError:
            return  # it asks for the key
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def name_the_columns(folder: Path) -> None:
    """Write the page's lines into the job, in place of the empty ones."""
    script = folder / "glue_jobs" / "bronze_to_silver_ships.py"
    text = script.read_text()
    for line in blocks("python")[1].splitlines():
        name = line.partition(" = ")[0]
        text, count = re.subn(rf"^{name}: .* = {{}}$", line, text, flags=re.MULTILINE)
        assert count == 1, name
    script.write_text(text)


def test_a_source_goes_from_nothing_to_silver_as_the_page_shows(tmp_path: Path) -> None:
    port = free_port()
    place = Workplace(tmp_path / "harbour", {"SHIPS_KEY": "tell-no-one"})
    (first, lines), *commands = transcripts(PAGE)
    assert agree(lines, Workplace(tmp_path).run(*shlex.split(first))), first
    manifest = place.folder / "connectors" / "ships" / "manifest.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(blocks("yaml")[0])
    counts: dict[str, int] = {}
    with api(place.folder, port):
        try:
            for command, shown in commands:
                counts[command] = counts.get(command, 0) + 1
                code = CODES.get((command, counts[command]), 0)
                if code:
                    name_the_columns(place.folder)
                done = place.run(*shlex.split(command.replace(PORT, f"127.0.0.1:{port}")), code=code)
                assert agree(shown, done), f"{command}\n{done.stderr}{done.stdout}"
            tested = [sys.executable, "-m", "pytest", "-q", "tests/test_bronze_to_silver_ships.py"]
            subprocess.run(tested, cwd=place.folder, env=place.full_environ, check=True)
        finally:
            place.run("local", "down")
