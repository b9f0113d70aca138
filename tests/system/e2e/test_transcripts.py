"""The console blocks of the README and the tutorial: commands print them, except for times, ids and addresses."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pymongo
import pytest

from etltctl.local.services.airbyte.mongodb import MongoProcess
from support.transcripts import PROJECT, agree, transcripts
from support.workplace import Workplace

pytestmark = pytest.mark.e2e
PAGES = ("README.md", "docs/tutorial/index.md")
# Commands that the session's lake has run already, with the arguments used there.
AS_RUN = {
    "run mongodb": "run mongodb --run-id first-mongodb",
    "run api": "run api --run-id first-api",
    "runs report": "runs report first-api",
}
OWN_SOURCE = "sync mongodb"


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
