"""Formula 1: its API → Airbyte → bronze → Glue → silver → Glue → gold → Athena, step by step as `etltctl run api`.

A retry adopts or reuses what an earlier try started. Trigger with `fresh` to start every step again.
"""

from datetime import timedelta

from etltctl.airflow import DAG, StepOperator, tables, tell_failure

GOLD = tables(
    "gold.f1_driver_championship", "gold.f1_constructor_championship", "gold.f1_standings_reconciliation",
    "gold.f1_driver_points_progression", "gold.f1_constructor_points_progression", "gold.f1_quali_vs_race",
    "gold.f1_pit_stats", "gold.f1_teammate_h2h", "gold.f1_circuit_stats", "gold.f1_circuit_wins",
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
    "dag_api", schedule=None, catchup=False, max_active_runs=1, dagrun_timeout=timedelta(hours=8),
    default_args=TRIES, params={"fresh": False}, tags=["etltctl", "formula-1"], doc_md=__doc__,
):  # fmt: skip
    sync = StepOperator(task_id="trigger_airbyte_sync", pipeline="api", step="sync:api")
    bronze = StepOperator(task_id="run_glue_job_bronze", pipeline="api", step="glue:bronze_to_silver_api")
    silver = StepOperator(
        task_id="run_glue_job_silver", pipeline="api", step="glue:silver_to_gold_api", outlets=GOLD
    )  # fmt: skip
    athena = StepOperator(task_id="refresh_athena", pipeline="api", step="athena:refresh")
    sync >> bronze >> silver >> athena
