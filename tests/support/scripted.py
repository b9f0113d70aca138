"""Scripted answers of Glue, and a small project with its ledger and services."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from etltctl.glue import RUN_KEY
from etltctl.ledger import Event, Ledger, read_events
from etltctl.pipeline import GlueStep, RunId, Services
from etltctl.settings import Settings
from etltctl.testing import EmbeddedLake, Rule, answered

JOB = GlueStep.step("often")
PROJECT = """
[pipelines.often]
steps = ["glue:often"]

[pipelines.both]
steps = ["sync:api", "glue:often"]

[pipelines.twice]
steps = ["glue:often", "glue:rarely"]

[glue.jobs.rarely]
script = "often.py"
writes = ["gold.rarely"]

[glue.jobs.often]
script = "often.py"
reads = ["bronze.api_races"]
writes = ["gold.often"]
"""


@dataclass(frozen=True)
class Place:
    """The project, and the scripted answers of its services."""

    lake: EmbeddedLake
    settings: Settings

    @property
    def services(self) -> Services:
        """Return new clients of the services."""
        return Services(self.settings)

    def events(self, run_id: str) -> list[Event]:
        """Return the run's recorded events."""
        return read_events(self.services.store, run_id)

    def types(self, run_id: str) -> list[str]:
        """Return the types of the run's events, without those that depend on timing."""
        passing = {"step.progress", "cost.estimate", "cost.actual"}
        return [event["type"] for event in self.events(run_id) if event["type"] not in passing]

    def ledger(self, run_id: str) -> Ledger:
        """Return the run's ledger, in which a test writes what an earlier process left."""
        return Ledger(self.services.store, run_id, self.settings.env)

    def count(self, call: str) -> int:
        """Return how often a scripted call was made."""
        return self.lake.met().get(call, 0)


def job_run(status: str, run_id: str = "", *, remote_id: str = "jr_1", **facts: Any) -> dict[str, Any]:
    """Return a Glue job run as the API lists it; with `run_id` it carries that run's key."""
    key = {RUN_KEY: RunId(run_id).key(JOB, env="local", pipeline="often")} if run_id else {}
    arguments = {"--run_id": run_id, "--outputs": json.dumps({}), **key}
    started = {"StartedOn": time.time() - 60.0, "ExecutionTime": 60}
    return {
        "Id": remote_id,
        "JobName": JOB.name,
        "JobRunState": status,
        "Arguments": arguments,
        **started,
        **facts,
    }


def lists(*runs: dict[str, Any]) -> list[Rule]:
    """Let Glue list these runs, newest first."""
    return answered("GetJobRuns", {"JobRuns": list(runs)}, times=0)


def started(remote_id: str = "jr_1") -> list[Rule]:
    """Let Glue start a run."""
    return answered("StartJobRun", {"JobRunId": remote_id}, times=0)


def polled(*runs: dict[str, Any]) -> list[Rule]:
    """Answer the polls of a run with these answers; the last one repeats."""
    *passing, last = runs
    rules = [rule for run in passing for rule in answered("GetJobRun", {"JobRun": run})]
    return [*rules, *answered("GetJobRun", {"JobRun": last}, times=0)]


def stoppable(remote_id: str = "jr_1") -> list[Rule]:
    """Let Glue stop the run on request."""
    done = {"SuccessfulSubmissions": [{"JobName": JOB.name, "JobRunId": remote_id}], "Errors": []}
    return answered("BatchStopJobRun", done, times=0)
