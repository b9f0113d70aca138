"""Pipelines: the order of the steps, written once, and the functions that run them.

The command line and the Airflow DAGs both walk `steps(...)` and run each step through `runner.start` and
`runner.finish`, so order and behaviour cannot differ between them. Only strings cross the border.

    runner.py             run a pipeline, run one step: the story
    model.py              steps and results; options.py run_ids.py step_run.py what a run and a step carry
    services.py           the clients of the services, made when first needed
    run_record.py         the events of a run from its first to its last; one process drives it
    recorded_result.py    what a run did, by these events
    preflight.py          the checks before a run: settings that must fail it (settings_faults.py), the budget, the
                          caller's permissions
    step_kind.py          what a kind of step offers; kinds.py the registry
    sync_step.py glue_step.py catalog_step.py tableau_step.py       the kinds; landing.py the proof of a sync
    inputs.py             the versions of tables that a step reads
    job_inputs.py         what an incremental job has to read; recorded_inputs.py what a run of it had to read
    step_wait.py          wait for a remote run, within its budget.py; glue_costs.py the prices of Glue
    lost_starts.py        a start without an answer on record
    failures.py           the errors of remote runs and the report of a failed run; failure_cause.py their cause;
                          script_paths.py the user's paths in it
    interrupts.py         stop or detach
    conflicts.py          a live job run of another run
    deferred.py           a step in the hands of several processes
    backfill/             the seasons of a source in chunks, each a run
    cancel.py follow.py run_logs.py rebuild.py lineage_replay.py        what is done with a run that exists
    clear.py              a full sync: the files and states of a source go, so that it reads everything
"""

from etltctl.pipeline.backfill import (
    BackfillOptions,
    BackfillPlan,
    BackfillResult,
    Chunk,
    ChunkResult,
    plan_backfill,
    require_backfillable,
    run_backfill,
)
from etltctl.pipeline.cancel import cancel_run, stop_step
from etltctl.pipeline.clear import require_clearable, sync_fully
from etltctl.pipeline.deferred import finish_step, start_step, wait_for_step
from etltctl.pipeline.failures import describe_failure
from etltctl.pipeline.follow import watch
from etltctl.pipeline.glue_step import GlueStep
from etltctl.pipeline.kinds import (
    changes_of_pipelines,
    in_detail,
    jobs_to_warm,
    line_of,
    lineage_of,
    spent_usd,
    steps,
    title_of,
    unknown_steps,
)
from etltctl.pipeline.lineage_replay import lineage_of_run, send_lineage
from etltctl.pipeline.model import (
    PipelineResult,
    Step,
    StepHandle,
    StepResult,
    known,
)
from etltctl.pipeline.options import RunOptions
from etltctl.pipeline.preflight import require_ready, unstarted
from etltctl.pipeline.rebuild import rebuild
from etltctl.pipeline.recorded_result import already_done
from etltctl.pipeline.run_ids import RunId, new_run_id
from etltctl.pipeline.run_logs import read_logs
from etltctl.pipeline.runner import (
    check_exists,
    refresh,
    resume,
    rollback,
    run_alone,
    run_pipeline,
    run_step,
    start_job,
)
from etltctl.pipeline.services import Services
from etltctl.pipeline.sync_step import SyncStep, landed_text
from etltctl.pipeline.tableau_step import publish_file, refresh_datasource

__all__ = [
    "BackfillOptions",
    "BackfillPlan",
    "BackfillResult",
    "Chunk",
    "ChunkResult",
    "GlueStep",
    "PipelineResult",
    "RunId",
    "RunOptions",
    "Services",
    "Step",
    "StepHandle",
    "StepResult",
    "SyncStep",
    "already_done",
    "cancel_run",
    "changes_of_pipelines",
    "check_exists",
    "describe_failure",
    "finish_step",
    "in_detail",
    "jobs_to_warm",
    "known",
    "landed_text",
    "line_of",
    "lineage_of",
    "lineage_of_run",
    "new_run_id",
    "plan_backfill",
    "publish_file",
    "read_logs",
    "rebuild",
    "refresh",
    "refresh_datasource",
    "require_backfillable",
    "require_clearable",
    "require_ready",
    "resume",
    "rollback",
    "run_alone",
    "run_backfill",
    "run_pipeline",
    "run_step",
    "send_lineage",
    "spent_usd",
    "start_job",
    "start_step",
    "steps",
    "stop_step",
    "sync_fully",
    "title_of",
    "unknown_steps",
    "unstarted",
    "wait_for_step",
    "watch",
]
