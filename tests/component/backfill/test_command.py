"""`etltctl backfill` as a user types it: the plan, the table, the document, and what an interrupt leaves behind."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from etltctl.cli.app import _run, hoisted
from etltctl.cli.session import Session
from etltctl.connections import SeasonsOfSource
from etltctl.console import Console
from etltctl.errors import DetachedError
from etltctl.pipeline import RunOptions
from support.backfilled import SEASONS, Place, rounds

RANGE = ("--start", "2096", "--end", "2099")


class Typed:
    """What a command wrote, and its exit code."""

    def __init__(self, *words: str) -> None:
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        console = Console(stdout=self.stdout, stderr=self.stderr)
        self.code = _run(hoisted(["backfill", *words, "--no-color"]), Session(console))

    @property
    def document(self) -> Any:
        return json.loads(self.stdout.getvalue())


@pytest.fixture(autouse=True)
def in_project(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.project)
    monkeypatch.setenv("ETLTCTL_STATE_DIR", str(place.lake.folder))


def test_a_dry_run_starts_nothing_and_names_what_each_sync_reads(place: Place) -> None:
    table = Typed("races", *RANGE, "--chunk", "3", "--dry-run")
    assert table.code == 0
    assert "2096-2098" in table.stdout.getvalue()
    assert "4 new seasons; the syncs read 7 seasons" in table.stderr.getvalue()
    document = Typed("races", *RANGE, "--chunk", "3", "--dry-run", "-o", "json").document
    assert [row["seasons read"] for row in document["rows"]] == [3, 4]
    assert document["seconds"] is None
    assert place.services.store.run_ids() == []


def test_the_table_has_each_chunk_and_the_document_the_total(place: Place) -> None:
    table = Typed("races", *RANGE, "--chunk", "2")
    assert table.code == 0
    assert [line.split()[0] for line in table.stdout.getvalue().splitlines()[2:]] == [
        "2096-2097",
        "2098-2099",
    ]
    assert "2 of 2 chunks done" in table.stderr.getvalue()
    assert place.gold() == rounds(*SEASONS)
    again = Typed("races", *RANGE, "--chunk", "2", "-o", "json")
    assert (again.code, again.document["rows"], again.document["outcome"]) == (0, [], "succeeded")
    assert "so no chunk would add one" in Typed("races", *RANGE).stderr.getvalue()
    # An estimate for other chunks is made from the newest run.
    plan = Typed("races", *RANGE, "--dry-run", "-o", "json").document
    assert (plan["held"], plan["seconds"]) == (SEASONS, 0.0)


def test_an_interrupt_prints_the_table_and_the_command_that_goes_on(place: Place) -> None:
    def interrupt(result: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.backfill(chunk=2, on_end=interrupt)
    assert place.outcomes()["2098-2099"] == "not started"
    # Whatever ends it, the source reads again what the settings name.
    assert SeasonsOfSource.of("api", place.settings).read() == SEASONS
    assert Typed("races", *RANGE, "--chunk", "2", "--dry-run").stdout.getvalue().count("backfill-races") == 2
    resumed = Typed("races", *RANGE, "--chunk", "2", "-o", "json").document
    assert [row["outcome"] for row in resumed["rows"]] == ["reused", "succeeded"]
    assert place.gold() == rounds(*SEASONS)


def test_a_sync_that_was_left_running_is_adopted_by_the_same_call(place: Place) -> None:
    polls = []

    def interrupt(step: str, run: Any) -> None:
        polls.append(run.id)
        raise KeyboardInterrupt

    options = RunOptions(on_poll=interrupt, on_interrupt=lambda *_: "detach")
    with pytest.raises(DetachedError) as detached:
        place.backfill(2096, 2096, run=options)
    assert place.outcomes() == {"2096": "detached"}
    assert "--start 2096 --end 2096" in str(detached.value.facts["resume"])
    (chunk,) = place.backfill(2096, 2096).chunks
    assert place.outcomes() == {"2096": "succeeded"}
    assert [event["remote_id"] for event in place.started(chunk.run_id, "sync:api")] == polls[:1]
    assert place.gold() == rounds(2096)


def test_a_failure_is_printed_after_the_table_with_its_exit_code(place: Place) -> None:
    done = Typed("races", *RANGE, "--max-usd", "0.00005", "-o", "json")
    assert done.code == 9
    assert [row["outcome"] for row in done.document["rows"]] == [
        "succeeded",
        "failed",
        "not started",
        "not started",
    ]
    assert "max_usd" in done.document["rows"][1]["error"]
    error = json.loads(done.stderr.getvalue().splitlines()[-1])
    assert error["facts"]["chunk"] == "2097"
