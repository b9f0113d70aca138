"""The live table of a backfill: each chunk on one line, in terminals from 40 to 120 columns."""

from __future__ import annotations

import io

import pytest
from rich.console import Console as RichConsole

from etltctl.cli.chunk_progress import ChunkProgress, drawn_chunks
from etltctl.cli.chunk_view import SHOWN_AFTER, SHOWN_BEFORE, ChunkView
from etltctl.console import Console
from etltctl.errors import NextStep, command
from etltctl.pipeline import BackfillPlan, Chunk, ChunkResult
from etltctl.pipeline.backfill import ChunkOutcome
from etltctl.runs import SyncJob
from support.screen import Screen

CHUNKS = tuple(Chunk((year,)) for year in range(2000, 2020))
PLAN = BackfillPlan("b", "api", "api", 2000, 2019, 1, tuple(range(2000, 2020)), CHUNKS)
STARTED = {"type": "run.started", "run_id": "b-2000", "step": "", "env": "aws", "steps": ["sync:api"]}
PLANNED = {"type": "step.planned", "run_id": "b-2000", "step": "sync:api", "env": "aws"}


def ended(chunk: Chunk, outcome: ChunkOutcome = ChunkOutcome.SUCCEEDED, error: str = "") -> ChunkResult:
    return ChunkResult(chunk, chunk.run_id("b"), outcome, 1234, 75.0, 0.25, error)


def shown(columns: int) -> tuple[ChunkProgress, Screen, io.StringIO]:
    """Return a backfill on a terminal of some columns, whose first chunk has ended and whose second one runs."""
    stream = io.StringIO()
    terminal = RichConsole(
        file=stream, width=columns, height=40, force_terminal=True, _environ={"TERM": "xterm"}
    )
    progress = ChunkProgress(Console(stderr=stream), chunks=CHUNKS)
    progress.view = ChunkView(CHUNKS, terminal, is_refreshed=False)
    progress.showing.enter_context(progress.console.drawing(progress.view.progress))
    progress.start(CHUNKS[0])
    progress.end(ended(CHUNKS[0]))
    progress.start(CHUNKS[1])
    progress.draw(STARTED)
    progress.draw(PLANNED)
    progress.poll("sync:api", SyncJob("7", "api", "running", rows=5), 0.0, "aws")
    progress.view.progress.refresh()
    return progress, Screen(columns).feed(stream.getvalue()), stream


@pytest.mark.parametrize("columns", [40, 59, 60, 80, 120])
def test_each_chunk_near_the_running_one_has_one_line(columns: int) -> None:
    _, screen, _ = shown(columns)
    assert screen.wrapped == []
    labels = [line.split()[0] for line in screen.lines if line.split()[0].isdigit()]
    assert labels[:1] == ["2000"]
    assert len([line for line in screen.lines if "to come" in line]) == SHOWN_AFTER
    assert ("1,234 rows" in screen.lines[0], "0.25 USD" in screen.lines[0]) == (columns >= 60, columns >= 80)
    assert "succeeded" in screen.lines[0]
    assert any("sync" in line and "running" in line for line in screen.lines)
    assert any("backfill" in line and "1 of 20" in line for line in screen.lines)


def test_chunks_far_from_the_running_one_are_not_drawn() -> None:
    progress, _, _ = shown(80)
    assert progress.view is not None
    progress.start(CHUNKS[10])
    visible = [task.fields["subject"].label for task in progress.view.progress.tasks[:-1] if task.visible]
    assert visible == [str(year) for year in range(2010 - SHOWN_BEFORE, 2010 + SHOWN_AFTER + 1)]
    progress.settle()
    assert progress.view is None


def test_without_a_terminal_each_chunk_is_a_line_and_the_heartbeat_names_the_running_one() -> None:
    stream = io.StringIO()
    console = Console(stderr=stream, plain=True)
    with drawn_chunks(console) as progress:
        progress.begin(PLAN)
        progress.start(CHUNKS[0])
        progress.draw(STARTED)
        assert progress._beat() == ""
        progress.draw(PLANNED)
        assert progress._beat().startswith("  0 of 20 chunks; 2000: ")
        progress.end(ended(CHUNKS[0]))
        progress.end(ended(CHUNKS[1], ChunkOutcome.FAILED, "no memory"))
        progress.warn(NextStep("correct it: ", command("connections", "apply")))
        progress.draw({**PLANNED, "type": "warning.degraded", "message": "late"})
    assert stream.getvalue().splitlines() == [
        "backfill b begins: 20 chunks of api",
        "  2000      succeeded         1,234 rows  1:15  0.25 USD",
        "  2001      failed            1,234 rows  1:15  0.25 USD  no memory",
        "warning: correct it: etltctl connections apply",
        "warning: late",
    ]


def test_a_backfill_without_chunks_draws_nothing() -> None:
    stream = io.StringIO()
    with drawn_chunks(Console(stderr=stream)) as progress:
        progress.begin(BackfillPlan("b", "api", "api", 2000, 2000, 1, (2000,), ()))
    assert stream.getvalue() == ""
