"""A new kind of step is one class and its place in the registry: nothing else knows the kinds by name."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

import etltctl
from etltctl.cli.progress import drawn_run
from etltctl.console import Console
from etltctl.errors import ConfigurationError, UsageError
from etltctl.logs import LogLine
from etltctl.pipeline import (
    RunOptions,
    Services,
    Step,
    StepHandle,
    StepResult,
    cancel_run,
    read_logs,
    require_ready,
    run_alone,
    run_pipeline,
)
from etltctl.pipeline.kinds import KINDS
from etltctl.pipeline.remote import EmitLines, StepKind, StepLine
from etltctl.pipeline.step_run import StartedRun, StepRun
from etltctl.pipeline.step_wait import wait_for_end
from etltctl.runs import JobRun, Verb
from etltctl.waiting import Waiter
from support.scripted import Place

PACKAGE = Path(str(etltctl.__file__)).parent


@dataclass
class Oven:
    """A service that etltctl does not know: a loaf bakes for two polls."""

    polls: int = 0
    stopped: int = 0


@dataclass(frozen=True)
class Loaf:
    """The remote run of a step `bake:RECIPE`."""

    oven: Oven
    id: str

    def poll(self) -> JobRun:
        self.oven.polls += 1
        return JobRun(self.id, "bread", "SUCCEEDED" if self.oven.polls > 2 else "RUNNING")

    def waiter(self) -> Waiter:
        return Waiter(timeout=60)

    def stop(self) -> None:
        self.oven.stopped += 1

    def successor(self, ended: object) -> None:
        return None


@dataclass(frozen=True)
class BakeStep(StepKind):
    """A kind of step that no other file knows."""

    oven: Oven
    name: ClassVar[str] = "bake"

    def require_known(self, name: str, settings: object) -> None:
        if name != "bread":
            raise UsageError(f"no recipe {name}")

    def problems(self, name: str, settings: object) -> Iterator[str]:
        yield from () if name == "bread" else ("the recipe has no flour",)

    def tables(self, name: str, settings: object) -> Sequence[str]:
        return ["gold.bread"]

    def start(self, step_run: StepRun) -> StartedRun:
        return StartedRun(Verb.STARTED, self.remote_run(step_run.services, "bread", "loaf_1").poll())

    def remote_run(self, services: Services, name: str, remote_id: str) -> Loaf:
        return Loaf(self.oven, remote_id)

    def finish(self, step_run: StepRun, handle: StepHandle, run: JobRun) -> StepResult:
        ended = wait_for_end(step_run, run, Loaf(self.oven, run.id), is_ours=handle.is_ours)
        return StepResult(str(step_run.step), handle.verb, ended.id, facts={"layer": "shelf", "rows": 1})

    def read_log(
        self, services: Services, name: str, remote_id: str, emit: EmitLines, *, follow: bool
    ) -> None:
        emit([LogLine(datetime.now(UTC), "output", remote_id, "golden brown", False)])

    def line(self, name: str, event: Mapping[str, Any]) -> StepLine:
        return StepLine(name, f"{event['rows']} loaf", "golden brown")


@pytest.fixture
def oven(place: Place, monkeypatch: pytest.MonkeyPatch) -> Oven:
    """The kind `bake` in the registry, and a pipeline of the project that has it."""
    kind = BakeStep(Oven())
    monkeypatch.setitem(KINDS, kind.name, kind)
    monkeypatch.setitem(
        place.settings.pipelines,
        "bakery",
        replace_steps(place, ["bake:bread"]),
    )
    return kind.oven


def replace_steps(place: Place, steps: list[str]) -> Any:
    """Return a pipeline of the settings with other steps."""
    return place.settings.pipelines["often"].model_copy(update={"steps": steps})


def test_a_new_kind_of_step_runs_waits_and_is_recorded(place: Place, oven: Oven) -> None:
    (step,) = run_pipeline("bakery", place.settings, RunOptions("baked")).steps
    assert (step.verb, step.remote_id, oven.polls) == ("started", "loaf_1", 3)
    assert place.types("baked")[2] == "remote.started"


def test_the_line_of_a_new_kind_is_printed(place: Place, oven: Oven) -> None:
    stderr = io.StringIO()
    console = replace(Console(), stderr=stderr)
    with drawn_run(console, "bakery") as show:
        run_pipeline("bakery", place.settings, RunOptions("seen", on_event=show))
    assert "bakery    bread" in stderr.getvalue()
    assert "1 loaf" in stderr.getvalue()


def test_the_checks_log_and_stop_of_a_new_kind_are_used(place: Place, oven: Oven) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        require_ready(place.settings, [Step("bake", "cake")])
    assert wrong.value.problems == ("the recipe has no flour",)
    with pytest.raises(UsageError, match="no recipe cake"):
        run_alone(Step("bake", "cake"), place.settings)
    ledger = place.ledger("hot")
    ledger.append("run.started", pipeline="bakery", steps=["bake:bread"])
    ledger.append("remote.started", "bake:bread", service="Oven", remote_id="loaf_1", state="RUNNING")
    lines: list[LogLine] = []
    assert read_logs(place.events("hot"), place.settings, lines.append).lines == 1
    (cancelled,) = cancel_run(place.events("hot"), place.settings)
    assert (lines[0].text, cancelled.done, oven.stopped) == ("golden brown", "stopped", 1)


def test_the_catalog_step_knows_its_tables(place: Place, oven: Oven) -> None:
    place.settings.pipelines["bakery"].steps.append("athena:refresh")
    step_run = StepRun("bakery", Step.parse("athena:refresh"), place.services, place.ledger("shelf"))
    assert KINDS["athena"].refreshed_tables(step_run) == ["gold.bread"]


def test_an_unknown_kind_is_refused_by_name(place: Place) -> None:
    with pytest.raises(UsageError, match="glu"):
        run_alone(Step("glu", "often"), place.settings)


def test_no_front_door_and_no_other_module_compares_kinds() -> None:
    """`Step("sync", …)` and `.kind == "glue"` would spread the names of kinds over many files."""
    folders = [PACKAGE / name for name in ("pipeline", "cli", "airflow")]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    files += [PACKAGE / "api.py", PACKAGE / "console.py", PACKAGE / "history.py"]
    assert {place for file in files for place in named_kinds(file)} == set()


def named_kinds(file: Path) -> Iterator[str]:
    """Yield where a module makes a step of a literal kind, or compares a kind with one."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        texts: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Step":
            texts = node.args[:1]
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute | ast.Name):
            name = node.left.attr if isinstance(node.left, ast.Attribute) else node.left.id
            texts = node.comparators if name == "kind" else []
        if any(isinstance(text, ast.Constant) and text.value in KINDS for text in texts):
            yield f"{file.name}:{node.lineno}"
