"""Scripted answers of the embedded services: each function makes rules for `EmbeddedLake.script`.

A rule is for one call: an AWS operation (`StartJobRun`), or method and path of Airbyte's API (`POST /jobs`); `*` stands
for anything. Rules are met in the order they are given, each as often as it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from etltctl.runs import JobRun, Run, SyncJob

Rule = Mapping[str, Any]
JOB_STARTED_S = 1_767_225_600.0  # 2026-01-01, for the runs of a script


def answered(call: str, body: Mapping[str, Any] | str, *, status: int = 200, times: int = 1) -> list[Rule]:
    """Answer the call so (text is sent as XML) and do nothing; `times=0` means always."""
    return [{"call": call, "times": times, "refuse": {"status": status, "body": body}}]


def refused(call: str, code: str, message: str = "", *, status: int = 400, times: int = 1) -> list[Rule]:
    """Answer the call with this AWS error code and do nothing."""
    return answered(call, {"__type": code, "message": message or code}, status=status, times=times)


def throttled(call: str, *, times: int = 1) -> list[Rule]:
    """Throttle the call: AWS by ThrottlingException, Airbyte by 429."""
    # A space stands between method and path, which only calls of Airbyte have.
    if " " in call:
        return answered(call, {"message": "You are being rate limited."}, status=429, times=times)
    return refused(call, "ThrottlingException", "Rate exceeded", times=times)


def lost(call: str, *, times: int = 1) -> list[Rule]:
    """Let the call take effect and lose its answer."""
    return [{"call": call, "times": times, "lose": True}]


def delayed(call: str, seconds: float, *, times: int = 1) -> list[Rule]:
    """Answer the call after so many real seconds."""
    return [{"call": call, "times": times, "delay": seconds}]


def changed(call: str, values: Mapping[str, Any], *, times: int = 0) -> list[Rule]:
    """Let the call take effect, and change the values of these keys in its answer, wherever they stand."""
    return [{"call": call, "times": times, "change": dict(values)}]


def glue_run(job: str, *states: str, reason: str = "", run_id: str = "jr_scripted") -> list[Rule]:
    """Script a Glue job run that passes through these states, one a poll, without Spark; the last one stays.

    Raises ValueError for a state Glue does not have, and for SUCCEEDED: a success leaves tables behind, which a
    script cannot make. Let the embedded Glue run the job for that.
    """
    _check(JobRun, states, success="SUCCEEDED")
    run = {"Id": run_id, "JobName": job, "Arguments": {}, "StartedOn": JOB_STARTED_S, "ExecutionTime": 0}

    def look(state: str) -> dict[str, Any]:
        # Glue gives the end and the reason with a final state only.
        ended = JobRun.states[state].value != "running"
        more = {"CompletedOn": JOB_STARTED_S + 60} if ended else {}
        return {
            **run,
            "JobRunState": state,
            **more,
            **({"ErrorMessage": reason} if ended and reason else {}),
        }

    *passing, last = states
    return [
        *answered("StartJobRun", {"JobRunId": run_id}),
        # No earlier run is listed, so a start is never an adoption.
        *answered("GetJobRuns", {"JobRuns": []}, times=0),
        *(rule for state in passing for rule in answered("GetJobRun", {"JobRun": look(state)})),
        *answered("GetJobRun", {"JobRun": look(last)}, times=0),
    ]


def sync_job(*states: str, rows: int | None = None, job_id: int = 900_001) -> list[Rule]:
    """Script an Airbyte sync that passes through these states, one a poll, and moves nothing; the last one stays.

    With `succeeded` it is a sync that says success and leaves no rows behind, whatever `rows` it reports.
    Raises ValueError for a state Airbyte does not have.
    """
    _check(SyncJob, states)
    # It names no connection: a rule does not know which one the call is for, and another one's job would be refused.
    job_of = {"jobId": job_id, "jobType": "sync", "startTime": "2099-01-01T00:00:00Z"}
    counted = {} if rows is None else {"rowsSynced": rows}
    *passing, last = states
    path = f"GET /jobs/{job_id}"
    return [
        *answered("POST /jobs", {**job_of, "status": "pending"}),
        *(rule for state in passing for rule in answered(path, {**job_of, "status": state})),
        *answered(path, {**job_of, "status": last, **counted}, times=0),
    ]


def _check(kind: type[Run], states: Sequence[str], success: str = "") -> None:
    wrong = [state for state in states if state not in kind.states or state == success]
    if wrong or not states:
        known = ", ".join(state for state in kind.states if state != success)
        raise ValueError(f"{', '.join(wrong) or 'no state'} cannot be scripted; known: {known}")
