"""The remote run of a step: how to look at it, how long to wait for it, how to stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from etltctl.connections import connection_id
from etltctl.pipeline.model import Step
from etltctl.pipeline.services import Services
from etltctl.runs import JobRun, RefreshJob, Run, State, SyncJob
from etltctl.waiting import Waiter

# Glue itself ends a run at its timeout; waiting longer than that means that Glue does not answer.
GLUE_GRACE_S = 900


@dataclass(frozen=True)
class SyncRemote:
    """The Airbyte job of a step `sync:SOURCE`."""

    services: Services
    source: str
    id: str

    @cached_property
    def connection(self) -> str:
        """The id of the source's Airbyte connection."""
        return connection_id(self.source, self.services.settings, self.services.aws)

    def look(self) -> SyncJob:
        """The job as Airbyte sees it now."""
        return self.services.airbyte.look_at(self.id, self.source)

    def waiter(self) -> Waiter:
        """How to wait for it; it learns from earlier syncs of the connection."""
        expected = self.services.airbyte.durations(self.connection, self.source)
        return Waiter(timeout=self.services.settings.airbyte.timeout_minutes * 60, expected=tuple(expected))

    def stop(self) -> None:
        """Cancels the job if it still runs."""
        self.services.airbyte.cancel(SyncJob(self.id, self.source, ""))

    def successor(self, ended: Run) -> None:
        """Airbyte repeats its attempts within the same job."""


@dataclass(frozen=True)
class GlueRemote:
    """The Glue job run of a step `glue:JOB`."""

    services: Services
    job: str
    id: str

    def look(self) -> JobRun:
        """The run as Glue sees it now."""
        return self.services.glue.look_at(self.job, self.id)

    def waiter(self) -> Waiter:
        """How to wait for it; it learns from earlier runs of the job."""
        minutes = self.services.settings.glue.jobs[self.job].timeout_minutes
        expected = self.services.glue.durations(self.job)
        return Waiter(timeout=minutes * 60 + GLUE_GRACE_S, expected=tuple(expected))

    def stop(self) -> None:
        """Asks Glue to stop the run."""
        self.services.glue.stop(JobRun(self.id, self.job, ""))

    def successor(self, ended: Run) -> JobRun | None:
        """The retry that Glue itself made of a failed run."""
        if isinstance(ended, JobRun) and ended.state is State.FAILED:
            return self.services.glue.retry_of(ended)
        return None


@dataclass(frozen=True)
class RefreshRemote:
    """The refresh job of a step `tableau:DATASOURCE`."""

    services: Services
    datasource: str
    id: str

    def look(self) -> RefreshJob:
        """The job as Tableau sees it now."""
        return self.services.tableau.look_at(self.id, self.datasource)

    def waiter(self) -> Waiter:
        """How to wait for it."""
        return Waiter(timeout=self.services.settings.tableau.timeout_minutes * 60)

    def stop(self) -> None:
        """Asks Tableau to cancel the job."""
        self.services.tableau.cancel(self.id)

    def successor(self, ended: Run) -> None:
        """Tableau does not repeat a refresh by itself."""


Remote = SyncRemote | GlueRemote | RefreshRemote
REMOTES: dict[str, Callable[[Services, str, str], Remote]] = {
    "sync": SyncRemote,
    "glue": GlueRemote,
    "tableau": RefreshRemote,
}


def remote_of(step: Step, services: Services, remote_id: str) -> Remote:
    """The step's remote run of that id."""
    return REMOTES[step.kind](services, step.name, remote_id)
