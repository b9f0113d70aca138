"""Every status of a service is mapped, and only its own success status counts as success."""

from __future__ import annotations

import botocore.session
import pytest

from etltctl.runs import JobRun, QueryExecution, Run, StackOperation, State, SyncJob


def enum_of(service: str, shape: str) -> set[str]:
    model = botocore.session.Session().get_service_model(service)
    return set(model.shape_for(shape).enum)


@pytest.mark.parametrize(
    ("kind", "service", "shape"),
    [
        (JobRun, "glue", "JobRunState"),
        (QueryExecution, "athena", "QueryExecutionState"),
        (StackOperation, "cloudformation", "StackStatus"),
    ],
)
def test_the_map_holds_exactly_the_statuses_of_the_sdk(kind: type[Run], service: str, shape: str) -> None:
    assert set(kind.states) == enum_of(service, shape)


@pytest.mark.parametrize(
    ("kind", "word"), [(JobRun, "SUCCEEDED"), (QueryExecution, "SUCCEEDED"), (SyncJob, "succeeded")]
)
def test_only_the_service_s_success_status_is_success(kind: type[Run], word: str) -> None:
    assert [name for name, state in kind.states.items() if state is State.SUCCEEDED] == [word]


@pytest.mark.parametrize("word", ["STOPPED", "EXPIRED", "TIMEOUT", "ERROR"])
def test_an_ended_job_run_that_did_not_succeed_failed(word: str) -> None:
    assert JobRun(id="jr", name="job", status=word).state is State.FAILED


def test_an_unknown_status_counts_as_running_and_says_so() -> None:
    run = SyncJob(id="1", name="api", status="levitating")
    assert run.state is State.RUNNING
    assert not run.is_known
