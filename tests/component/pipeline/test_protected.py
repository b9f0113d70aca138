"""A protected environment asks at the front door alone: the functions that the tasks of a DAG call never do."""

from __future__ import annotations

import io
import sys

import pytest

from etltctl.pipeline import run_step
from support.scripted import Place, job_run, lists, polled, started


class Closed(io.StringIO):
    """A terminal at which no one may be asked."""

    def isatty(self) -> bool:
        return True

    def readline(self, size: int | None = -1) -> str:
        raise AssertionError("a task asked a question")


def test_a_task_of_a_dag_runs_its_step_without_a_question(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Closed())
    settings = place.settings.model_copy(update={"protected": True})
    place.lake.script(lists(), started(), polled(job_run("SUCCEEDED", "task")))
    done = run_step("often", "glue:often", run_id="task", settings=settings)
    assert (done["verb"], done["remote_id"]) == ("started", "jr_1")
