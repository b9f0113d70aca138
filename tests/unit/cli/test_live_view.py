"""The live view of a run: every step once, on one line, with its clock, in terminals from 40 columns up."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console as RichConsole

from etltctl.cli.live_view import RunView
from etltctl.cli.progress import RunProgress
from etltctl.cli.run_state import RunState, amount_text, shortened
from etltctl.console import Console
from etltctl.moments import clock_text
from etltctl.runs import JobRun, QueryExecution, SparkStage, SyncJob
from support.screen import COLOURS, Screen

SYNC, JOB, LONG, REFRESH = (
    "sync:mongodb",
    "glue:bronze_to_silver",
    "glue:a_job_whose_name_is_as_long_as_some_people_like_them_to_be",
    "athena:refresh",
)
RUN = "20261123-0305-mongodb-k7qf"
JOB_RUN = "jr_" + "d6f56d67" * 8
SYNCED = {"type": "step.finished", "step": SYNC, "outcome": "succeeded", "verb": "started", "rows": 8710}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Shown:
    """A run drawn on a terminal of some columns, by a clock that the test moves."""

    def __init__(self, columns: int, *, no_color: bool = False, **durations: list[float]) -> None:
        self.stream, self.clock, self.screen = io.StringIO(), Clock(), Screen(columns)
        terminal = RichConsole(
            file=self.stream,
            width=columns,
            force_terminal=True,
            no_color=no_color,
            _environ={"TERM": "xterm"},
        )
        self.state = RunState("mongodb", {SYNC: [8.0, 9.0], JOB: [60.0], **durations}, clock=self.clock)
        self.view = RunView(self.state, terminal, is_refreshed=False)
        self.console = Console(stderr=self.stream)
        self.progress = RunProgress(self.console, self.state, view=self.view)
        self.progress.showing.enter_context(self.console.drawing(self.view.progress))

    def draw(self, *events: dict[str, Any]) -> None:
        for event in events:
            self.progress.draw({"run_id": RUN, "step": "", "env": "aws", **event})

    def begin(self, *steps: str) -> None:
        """Draw a run whose first step has ended after eight seconds, and whose second runs."""
        self.draw({"type": "run.started", "steps": steps}, {"type": "step.planned", "step": SYNC})
        self.draw({"type": "remote.started", "step": SYNC, "state": "running", "remote_id": "1"})
        self.clock.now += 8.0
        self.draw({**SYNCED, "reported_rows": 8710, "layer": "bronze", "seconds": 8.0})
        self.draw({"type": "step.planned", "step": steps[1]})
        self.draw({"type": "remote.started", "step": steps[1], "state": "RUNNING", "remote_id": JOB_RUN})

    def lines(self) -> list[str]:
        """Return what the terminal shows now."""
        self.view.progress.refresh()
        self.screen.feed(self.stream.getvalue())
        self.stream.truncate(0)
        self.stream.seek(0)
        return self.screen.lines

    def line(self, title: str) -> str:
        """Return the one line that begins with this title, behind the mark."""
        (line,) = [line for line in self.lines() if line[2:].startswith(title)]
        return line


@pytest.mark.parametrize("columns", [40, 60, 80, 81, 120])
def test_every_step_stands_on_one_line_of_any_terminal(columns: int) -> None:
    shown = Shown(columns)
    shown.begin(SYNC, JOB, LONG, REFRESH)
    for _ in range(3):
        shown.clock.now += 1.0
        lines = shown.lines()
    assert shown.screen.wrapped == []
    assert [line[2:12] for line in lines] == [
        f"run {RUN}"[2:12], "sync:mongo", "bronze_to_", "a_job_whos", "athena:ref", "mongodb as",
    ]  # fmt: skip
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_each_step_has_a_clock_that_stops_at_its_end(columns: int) -> None:
    shown = Shown(columns)
    shown.begin(SYNC, JOB, REFRESH)
    for seconds, clock in ((7, "0:07"), (60, "1:07"), (3600, "1:01:07")):
        shown.clock.now += seconds
        assert clock in shown.line("bronze_to_silver").split()
    assert "0:08" in shown.line("sync:mongodb").split()
    assert not set(shown.line("athena:refresh")) & set("0123456789")
    assert "1:01:15" in shown.line("mongodb as a whole").split()


def test_a_wide_terminal_shows_status_id_and_the_time_that_is_left() -> None:
    shown = Shown(80, **{REFRESH: [2.0]})
    shown.begin(SYNC, JOB, REFRESH)
    shown.clock.now += 15.0
    assert shown.line("bronze_to_silver").split() == (
        "⠋ bronze_to_silver RUNNING jr_d6f5…6d67 0:15 ~0:45 left".replace(
            "⠋", shown.line("bronze")[0]
        ).split()
    )
    assert shown.line("sync:mongodb").split() == ["sync:mongodb", "done", "8,710", "rows", "job", "1", "0:08"]
    assert shown.line("athena:refresh").split() == ["athena:refresh", "to", "come"]
    assert shown.line("mongodb as").split()[4:] == ["1", "of", "3", "2026112…k7qf", "0:23", "~0:47", "left"]


def test_a_step_past_its_usual_time_shows_that_time() -> None:
    shown = Shown(60)
    shown.begin(SYNC, JOB)
    shown.clock.now += 61.0
    assert shown.line("bronze_to_silver").endswith("1:01 usual 1:00")
    assert "left" not in shown.line("mongodb as a whole")


def test_a_poll_shows_rows_bytes_and_the_cost_so_far() -> None:
    shown = Shown(120)
    shown.draw({"type": "run.started", "steps": [SYNC, JOB]}, {"type": "step.planned", "step": SYNC})
    shown.progress.poll(SYNC, SyncJob("7", "mongodb", "running", rows=4355, bytes=2_300_000), 0.0, "aws")
    assert "4,355 rows 2.3 MB  job 7" in shown.line("sync:mongodb")
    shown.draw({"type": "step.planned", "step": JOB})
    shown.progress.poll(JOB, JobRun(JOB_RUN, "bronze_to_silver", "RUNNING"), 0.58, "aws")
    assert "0.58 USD so far" in shown.line("mongodb as")


@pytest.mark.parametrize(
    ("columns", "text"), [(120, "stage 12, 140 of 200 tasks  jr_"), (80, "stage 12, 140 of 200  ")]
)
def test_a_poll_shows_the_stage_of_spark_until_the_step_has_ended(columns: int, text: str) -> None:
    shown = Shown(columns)
    shown.begin(SYNC, JOB)
    polled = JobRun(JOB_RUN, "bronze_to_silver", "RUNNING", stage=SparkStage(12, 140, 200))
    shown.progress.poll(JOB, polled, 0.0, "aws")
    assert text in shown.line("bronze_to_silver")
    assert "stage 12, 140 of 200 tasks" in shown.state.line()
    shown.state.apply({"type": "step.finished", "step": JOB, "outcome": "succeeded", "verb": "started"})
    assert "stage" not in shown.line("bronze_to_silver")
    shown.progress.poll(JOB, polled, 0.0, "aws")
    assert "stage" not in shown.line("bronze_to_silver"), "the answer to a poll may come after the end"
    assert "done" in shown.line("bronze_to_silver")


def test_a_job_that_has_ended_has_no_tasks_left_while_its_tables_are_published() -> None:
    shown = Shown(120)
    shown.begin(SYNC, JOB)
    stage = SparkStage(12, 140, 200)
    shown.progress.poll(JOB, JobRun(JOB_RUN, "bronze_to_silver", "RUNNING", stage=stage), 0.0, "aws")
    shown.progress.poll(JOB, JobRun(JOB_RUN, "bronze_to_silver", "SUCCEEDED"), 0.0, "aws")
    assert "SUCCEEDED" in shown.line("bronze_to_silver")
    assert "tasks" not in shown.line("bronze_to_silver")


def test_a_step_that_starts_again_has_moved_nothing_yet() -> None:
    shown = Shown(120)
    shown.draw({"type": "run.started", "steps": [SYNC, JOB]}, {"type": "step.planned", "step": SYNC})
    shown.progress.poll(SYNC, SyncJob("7", "mongodb", "running", rows=4355), 0.0, "aws")
    shown.state.apply({"type": "step.finished", "step": SYNC, "outcome": "failed", "verb": "started"})
    assert "4,355 rows" in shown.line("sync:mongodb")
    shown.state.apply({"type": "step.planned", "step": SYNC})
    assert "4,355" not in shown.line("sync:mongodb")
    assert "job 7" not in shown.line("sync:mongodb")


def test_a_poll_of_a_query_shows_the_bytes_that_it_has_read_and_then_the_rows() -> None:
    shown = Shown(120)
    shown.begin(SYNC, "sql:totals")
    reading = QueryExecution("q", "wg", "RUNNING", scanned_bytes=12_300_000)
    shown.progress.poll("sql:totals", reading, 0.0, "aws")
    assert "12.3 MB scanned" in shown.line("sql:totals")
    shown.progress.poll("sql:totals", replace(reading, rows=8710), 0.0, "aws")
    assert "8,710 rows" in shown.line("sql:totals")
    shown.draw({"type": "cost.actual", "step": JOB, "remote_id": JOB_RUN, "usd": 0.6})
    assert "0.60 USD so far" in shown.line("mongodb as"), "the bill replaces what was estimated"


def test_work_on_this_machine_costs_nothing() -> None:
    state = RunState("mongodb")
    state.apply({"type": "cost.actual", "step": JOB, "remote_id": "jr_1", "usd": 0.6, "env": "local"})
    state.poll(JOB, JobRun("jr_1", "bronze_to_silver", "RUNNING"), 0.58, "local")
    assert state.usd == 0.0


def test_no_color_takes_the_colours_and_leaves_the_view() -> None:
    coloured, plain = Shown(80), Shown(80, no_color=True)
    for shown in (coloured, plain):
        shown.begin(SYNC, JOB)
        shown.view.progress.refresh()
    assert COLOURS.search(coloured.stream.getvalue())
    assert not COLOURS.search(plain.stream.getvalue())
    assert plain.lines() == coloured.lines()


def test_what_stays_behind_is_the_same_as_without_a_terminal() -> None:
    log = Console(plain=True, stderr=io.StringIO())
    shown, plain = Shown(120), RunProgress(log, RunState("mongodb"))
    warning = {"type": "warning.degraded", "message": "the service is slow"}
    finished = {**SYNCED, "step": JOB, "rows": 8703, "layer": "silver", "seconds": 7.0}
    events = [
        {"type": "run.started", "steps": [SYNC, JOB]},
        {**SYNCED, "reported_rows": 8710, "layer": "bronze", "seconds": 8.0},
        warning,
        finished,
    ]
    for event in events:
        shown.draw(event)
        plain.draw({"run_id": RUN, "step": "", "env": "aws", **event})
    lines = shown.lines()
    assert [line[:30] for line in lines].count("mongodb   sync                ") == 1, (
        "the line of the record"
    )
    assert not any(line[2:].startswith("sync:mongodb") for line in lines), "and not the live one as well"
    shown.progress.settle()
    written = log.stderr.getvalue().splitlines()  # type: ignore[attr-defined]
    assert shown.screen.feed(shown.stream.getvalue()).lines == written


def test_a_failed_step_shows_how_it_ended() -> None:
    shown = Shown(60)
    shown.begin(SYNC, JOB, REFRESH)
    shown.draw({"type": "step.finished", "step": JOB, "outcome": "failed", "error": "x", "seconds": 3.0})
    assert shown.line("bronze_to_silver").split()[1] == "failed"


def test_ids_keep_their_ends_and_amounts_their_units() -> None:
    assert shortened(JOB_RUN) == "jr_d6f5…6d67"
    assert shortened("jr_1") == "jr_1"
    assert [clock_text(each) for each in (0.9, 61, 3723)] == ["0:00", "1:01", "1:02:03"]
    assert amount_text(None, None) == ""
    assert amount_text(5, 999) == "5 rows 999 B"
    assert amount_text(None, 123_456_789_000) == "123 GB"
