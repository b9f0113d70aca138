"""Pipelines: the order of the steps, written once, and the functions that run them.

The command line and the Airflow DAGs both walk `steps(...)` through `run_step(...)`, so neither can differ in order or
behaviour from the other; only strings cross the border between them.
"""

from etltctl.pipeline.dashboards import publish_file, refresh_datasource
from etltctl.pipeline.failing import describe_failure
from etltctl.pipeline.model import (
    Begun,
    PipelineResult,
    Step,
    StepResult,
    known,
    new_run_id,
    run_key,
    safe_run_id,
    steps,
)
from etltctl.pipeline.readiness import require_ready, unstarted
from etltctl.pipeline.reading import read_logs
from etltctl.pipeline.rebuilding import rebuild
from etltctl.pipeline.running import (
    check_exists,
    refresh,
    rollback,
    run_alone,
    run_pipeline,
    start_job,
    take_up,
)
from etltctl.pipeline.services import Services
from etltctl.pipeline.stopping import cancel_run
from etltctl.pipeline.tasks import finish_step, run_step, start_step, stop_step, wait_for_step
from etltctl.pipeline.watching import watch
from etltctl.pipeline.wishes import Wish

__all__ = [
    "Begun",
    "PipelineResult",
    "Services",
    "Step",
    "StepResult",
    "Wish",
    "cancel_run",
    "check_exists",
    "describe_failure",
    "finish_step",
    "known",
    "new_run_id",
    "publish_file",
    "read_logs",
    "rebuild",
    "refresh",
    "refresh_datasource",
    "require_ready",
    "rollback",
    "run_alone",
    "run_key",
    "run_pipeline",
    "run_step",
    "safe_run_id",
    "start_job",
    "start_step",
    "steps",
    "stop_step",
    "take_up",
    "unstarted",
    "wait_for_step",
    "watch",
]
