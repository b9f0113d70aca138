"""Formula 1: the API → bronze → silver → gold → Athena. What each task does is etltctl's; this file names the order."""

from datetime import timedelta

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
try:
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:  # Airflow 2 without the standard provider
    from airflow.operators.python import PythonOperator

PIPELINE = "api"
STEPS = {
    "trigger_airbyte_sync": "sync:api",
    "run_glue_job_bronze": "glue:bronze_to_silver_api",
    "run_glue_job_silver": "glue:silver_to_gold_api",
    "refresh_athena": "athena:refresh",
}


def run_step(step: str, run_id: str) -> dict[str, object]:
    """Run the step as part of this DAG run; a retry adopts or reuses what the first try started."""
    from etltctl.pipeline import run_step

    return run_step(PIPELINE, step, run_id=run_id)


with DAG("dag_api", schedule=None, catchup=False, max_active_runs=1, tags=["etltctl"], doc_md=__doc__):
    before = None
    for task_id, step in STEPS.items():
        task = PythonOperator(
            task_id=task_id,
            python_callable=run_step,
            op_kwargs={"step": step, "run_id": "{{ dag.dag_id }}-{{ run_id }}"},
            retries=2,
            retry_delay=timedelta(minutes=1),
        )
        if before:
            before >> task
        before = task
