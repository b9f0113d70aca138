"""A kind of step that etltctl does not know: `bake:bread`, whose remote run is a loaf in an oven."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from etltctl.logs import LogLine
from etltctl.permissions import Permission, Requirements
from etltctl.pipeline import Services, StepHandle, StepResult
from etltctl.pipeline.budget import Budget, remaining_budget
from etltctl.pipeline.step_kind import EmitLines, StepKind, StepLine
from etltctl.pipeline.step_run import StartedRun, StepRun
from etltctl.pipeline.step_wait import wait_for_end
from etltctl.runs import JobRun, Verb
from etltctl.waiting import Waiter


@dataclass
class Oven:
    """A service that etltctl does not know: a loaf bakes for two polls."""

    polls: int = 0
    stopped: int = 0
    usd_a_poll: float = 0.0
    estimated_usd: float = 0.0


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

    thing: ClassVar[str] = "recipe"

    def names(self, settings: object) -> Sequence[str]:
        return ["bread"]

    def problems(self, name: str, settings: object) -> Iterator[str]:
        yield from () if name == "bread" else ("the recipe has no flour",)

    def tables(self, name: str, settings: object) -> Sequence[str]:
        return ["gold.bread"]

    def published_tables(self, name: str, settings: object) -> Sequence[str]:
        return ["gold.bread"]

    def permissions(
        self, name: str, refreshed: Sequence[str], required: Requirements
    ) -> Iterator[Permission]:
        yield Permission("oven:Bake", f"arn:aws:oven:::{name}")

    def budget(self, step_run: StepRun) -> Budget | None:
        return remaining_budget(step_run, {}, 1.0, lambda _: self.oven.polls * self.oven.usd_a_poll)

    def estimated_usd(self, step_run: StepRun) -> float:
        return self.oven.estimated_usd

    def start(self, step_run: StepRun) -> StartedRun:
        return StartedRun(Verb.STARTED, self.remote_run(step_run.services, "bread", "loaf_1").poll())

    def remote_run(self, services: Services, name: str, remote_id: str) -> Loaf:
        return Loaf(self.oven, remote_id)

    def finish(self, step_run: StepRun, handle: StepHandle, run: JobRun) -> StepResult:
        loaf, budget = Loaf(self.oven, run.id), self.budget(step_run)
        ended = wait_for_end(step_run, run, loaf, is_ours=handle.is_ours, budget=budget)
        return StepResult(str(step_run.step), handle.verb, ended.id, facts={"layer": "shelf", "rows": 1})

    def read_log(
        self, services: Services, name: str, remote_id: str, emit: EmitLines, *, follow: bool
    ) -> None:
        emit([LogLine(datetime.now(UTC), "output", remote_id, "golden brown", False)])

    def line(self, name: str, event: Mapping[str, Any]) -> StepLine:
        return StepLine(name, f"{event['rows']} loaf", "golden brown")
