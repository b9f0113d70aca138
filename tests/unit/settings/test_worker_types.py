"""The worker types of the settings and those of a retry are the same."""

from __future__ import annotations

import pytest

from etltctl.settings.services import GlueJob
from etltctl.worker_sizes import WorkerType


@pytest.mark.parametrize("kind", list(WorkerType))
def test_a_type_that_a_retry_may_take_can_be_kept_in_the_settings(kind: WorkerType) -> None:
    job = GlueJob.model_validate({"script": "job.py", "worker_type": kind.value})
    assert job.worker_type == kind
