"""What a DAG run may cost: the operator's limit, and the DAG run's own in its place."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize(
    ("params", "limit"),
    [
        ({}, {"max_usd": 5.0}),
        ({"max_usd": 2}, {"max_usd": 2.0}),
        ({"max_usd": None}, {"max_usd": 5.0}),
        (None, {"max_usd": 5.0}),
    ],
)
def test_the_dag_run_s_limit_goes_before_the_operator_s(params: Any, limit: dict[str, float]) -> None:
    pytest.importorskip("airflow")
    from etltctl.airflow import StepOperator
    from etltctl.airflow.operator import _limit

    operator = StepOperator(task_id="t", pipeline="api", step="sync:api", max_usd=5)
    assert _limit(operator.max_usd, {"params": params}) == limit
