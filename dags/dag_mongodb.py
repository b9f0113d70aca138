"""Weather: MongoDB → Airbyte → bronze → Glue → silver → Glue → gold → Athena, step by step as `etltctl run mongodb`.

A retry adopts or reuses what an earlier try started. Trigger with `fresh` to start every step again.
"""

from datetime import timedelta

from etltctl.airflow import DAG, StepOperator, tables, tell_failure

GOLD = tables(
    "gold.weather_daily", "gold.weather_monthly", "gold.wind_rose_monthly", "gold.potential_hour_month",
    "gold.potential_by_condition", "gold.day_ranking",
)  # fmt: skip
TRIES = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "execution_timeout": timedelta(hours=4),
    "on_failure_callback": tell_failure,
}

with DAG(
    "dag_mongodb", schedule=None, catchup=False, max_active_runs=1, dagrun_timeout=timedelta(hours=8),
    default_args=TRIES, params={"fresh": False}, tags=["etltctl", "weather"], doc_md=__doc__,
):  # fmt: skip
    sync = StepOperator(task_id="trigger_airbyte_sync", pipeline="mongodb", step="sync:mongodb")
    bronze = StepOperator(task_id="run_glue_job_bronze", pipeline="mongodb", step="glue:bronze_to_silver")
    silver = StepOperator(
        task_id="run_glue_job_silver", pipeline="mongodb", step="glue:silver_to_gold", outlets=GOLD
    )  # fmt: skip
    athena = StepOperator(task_id="refresh_athena", pipeline="mongodb", step="athena:refresh")
    sync >> bronze >> silver >> athena
