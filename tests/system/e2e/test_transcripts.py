"""The console blocks of the README and the tutorial: commands print them, except for times, ids and addresses."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pymongo
import pytest

from etltctl.local.services.airbyte.mongodb import MongoProcess
from support.workplace import Workplace

pytestmark = pytest.mark.e2e
PROJECT = Path(__file__).parents[3]
PAGES = ("README.md", "docs/tutorial/index.md")
MASKS = (
    (r"http://127\.0\.0\.1:\d+", "URL"),
    (r"pid \d+", "pid N"),
    (r"\b\d{8}-\d{4}-[a-z-]+-[a-z0-9]{4}\b|\bfirst-(?:mongodb|api)\b", "RUN"),
    (r"\d+\.\d s\b|\d+ s\b|in \d+\.\d\d s", "TIME"),
    (r"[\d,]+ bytes scanned", "N bytes scanned"),
    (r"\d\.\d{6} USD", "N USD"),
    (r"as job \d+", "as job N"),
    (r"\b\d+ kB", "N kB"),
    (r" +", " "),
)
# Commands that the session's lake has run already, with the arguments used there.
AS_RUN = {
    "run mongodb": "run mongodb --run-id first-mongodb",
    "run api": "run api --run-id first-api",
    "runs report": "runs report first-api",
}
# What a command that waits for long prints where no one watches. A terminal shows none of these lines.
HEARTBEAT = re.compile(r"\S+ [A-Z_]+ \S+ for \d+:\d\d\b.*")
BEGINS = "no run is called RUN yet: it begins now"  # the pages name no id, so one is passed
OWN_SOURCE = "sync mongodb"
FOLD = 12 * " "  # the indentation of the rest of a folded line; no line that a command prints has it


def transcripts(page: str) -> list[tuple[str, list[str]]]:
    """Return the commands of the page's console blocks, without `etltctl`, and the lines shown below each."""
    text = (PROJECT / page).read_text("utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    # The pages fold long lines, which readers with a small window would not see to their ends.
    blocks = [block.replace("\n" + FOLD, " ") for block in blocks]
    shown = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [
        (part.partition("\n")[0].removeprefix("etltctl "), part.strip().splitlines()[1:]) for part in shown
    ]


def masked(lines: list[str]) -> list[str]:
    """Return the lines without the parts that differ from run to run."""
    for pattern, word in MASKS:
        lines = [re.sub(pattern, word, line).strip() for line in lines]
    return [line for line in lines if line != BEGINS and not HEARTBEAT.fullmatch(line)]


def agree(shown: list[str], done: subprocess.CompletedProcess[str]) -> bool:
    """Return whether the command printed the shown lines; a terminal shows one stream after the other."""
    out, err = masked(done.stdout.splitlines()), masked(done.stderr.splitlines())
    return masked(shown) in (err + out, out + err)


CASES = [
    pytest.param(page, command, lines, id=f"{page}: {command[:40]}")
    for page in PAGES
    for command, lines in transcripts(page)
    if command != OWN_SOURCE
]


@pytest.mark.parametrize(("page", "command", "lines"), CASES)
def test_a_command_prints_what_the_page_shows(
    sample_lake: Workplace, page: str, command: str, lines: list[str]
) -> None:
    again = re.fullmatch(r"run mongodb --run-id \S+", command)
    arguments = "run mongodb --run-id first-mongodb" if again else AS_RUN.get(command, command)
    first = None if again else sample_lake.first_results.get(arguments)
    done = first or sample_lake.run(*shlex.split(arguments))
    assert agree(lines, done), f"{page} shows\n" + "\n".join(lines) + f"\n\n{done.stderr}{done.stdout}"


def test_the_tutorial_s_mongodb_source_is_read(tmp_path: Path) -> None:
    """Follow part 3: the table changed as shown, a MongoDB of the user, and the sync that the page shows."""
    text = (PROJECT / "docs/tutorial/index.md").read_text("utf-8")
    part = text.partition("## 3.")[2]
    [forget] = re.findall(r"^rm (\S+)$", part, re.MULTILINE)
    settings = re.findall(r"```toml\n(.*?)```", part, re.DOTALL)[0]
    [lines] = [lines for command, lines in transcripts("docs/tutorial/index.md") if command == OWN_SOURCE]
    mongo = MongoProcess(tmp_path / "mongo")
    place = Workplace(tmp_path / "my-lake", {"MONGODB_URI": mongo.uri()})
    try:
        with pymongo.MongoClient(mongo.uri()) as client:
            client["weather"]["observations"].insert_many([{"dt": number} for number in range(3)])
        Workplace(tmp_path).run("init", "my-lake")
        place.run("local", "up")  # otherwise each command would start a server
        place.run("sync", "mongodb")  # part 2's runs, on the samples
        (place.folder / forget).unlink()
        file = place.folder / "etltctl.toml"
        header, body = settings.split("\n", 1)
        file.write_text(
            file.read_text().replace(
                f'{header}\nuri = "sample:"', f'{header}\n{body.strip()}\n# uri = "sample:"'
            )
        )
        done = place.run("sync", "mongodb")
        assert agree(lines, done), done.stderr + done.stdout
        shown = json.loads(place.run("config", "show", "-o", "json").stdout)["rows"]
        uri = next(row["value"] for row in shown if row["setting"] == "sources.mongodb.uri")
        assert uri == "env:MONGODB_URI (set)"
    finally:
        place.run("local", "down")
        mongo.stop()
