"""The operator's policy over what running both pipelines and asking gold really calls."""

from __future__ import annotations

import pytest
from wire import calls
from workplace import Workplace

from etltctl.infrastructure.calls import OPERATOR

pytestmark = pytest.mark.e2e


def test_both_pipelines_and_a_query_call_nothing_that_the_operator_may_not(sample_lake: Workplace) -> None:
    sample_lake.query("select count(*) as days from weather_daily")
    made = {call.name for call in calls(sample_lake.folder / ".etltctl", "etltctl")}
    assert {"glue:StartJobRun", "glue:UpdateTable", "athena:StartQueryExecution", "s3:GetObject"} <= made
    allowed = {name for names in OPERATOR.values() for name in names}
    assert made <= allowed, "add what is missing to etltctl/infrastructure/calls.py"
