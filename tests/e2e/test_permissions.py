"""The operator's policy over what running both pipelines really calls."""

from __future__ import annotations

import pytest
from wire import calls
from workplace import Workplace

from etltctl.infrastructure.calls import OPERATOR

pytestmark = pytest.mark.e2e


def test_both_pipelines_call_nothing_that_the_operator_may_not(sample_lake: Workplace) -> None:
    made = {
        call.name for call in calls(sample_lake.folder / "first-runs.log", sample_lake.keys.access_key_id)
    }
    assert {"glue:StartJobRun", "glue:CreateTable", "s3:GetObject", "s3:ListObjectsV2"} <= made
    allowed = {name for names in OPERATOR.values() for name in names}
    assert made <= allowed, "add what is missing to etltctl/infrastructure/calls.py"
