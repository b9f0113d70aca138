"""Names that Airflow's versions keep in different places or spell differently: 3.x first, then 2.11."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import DAG, Asset
except ImportError:
    from airflow import DAG
    from airflow.datasets import Dataset

    def Asset(*, name: str, uri: str) -> Any:  # noqa: ARG001, N802 - Airflow 2 calls it a dataset and gives it no name
        """Return a dataset of that URI."""
        return Dataset(uri)


try:
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:  # Airflow 2 without the standard provider
    from airflow.operators.python import PythonOperator

try:
    from airflow.sdk import exceptions
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferralError
except ImportError:
    from airflow import exceptions
    from airflow.exceptions import AirflowException, AirflowFailException, TaskDeferralError

# Airflow 2 raises one error for a trigger that broke and for a timeout, Airflow 3 two.
TRIGGER_ERRORS: tuple[type[Exception], ...] = (
    TaskDeferralError,
    getattr(exceptions, "TaskDeferralTimeout", TaskDeferralError),
)

__all__ = ["DAG", "TRIGGER_ERRORS", "AirflowException", "AirflowFailException", "Asset", "PythonOperator"]
