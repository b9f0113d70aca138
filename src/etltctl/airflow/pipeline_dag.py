"""A whole pipeline as a DAG: one task for each step of the settings, in their order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.airflow.assets import tables
from etltctl.airflow.callbacks import tell_failure
from etltctl.airflow.operator import StepOperator, sentence
from etltctl.airflow.versions import DAG, AirflowException
from etltctl.errors import EtltctlError, UsageError, command, guess_text

if TYPE_CHECKING:
    from etltctl.settings.outline import StepOutline

TRIES = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "execution_timeout": timedelta(hours=4),
    "on_failure_callback": tell_failure,
}
# Names of a kind of step that get a short task id: the verb, and the groups of the pattern. A pipeline has one sync as
# a rule, and of a job such as `bronze_to_silver_api` the layer that it reads says enough.
SHORT = {"sync": re.compile(""), "glue": re.compile(r"(bronze|silver)_to_(?:silver|gold)(?:_|$)")}
VERBS = {
    "sync": "trigger_airbyte_sync",
    "glue": "run_glue_job",
    "sql": "write_sql_table",
    "tableau": "publish_tableau",
}
REFRESH = "athena:refresh"


def pipeline_dag(
    pipeline: str,
    *,
    dag_id: str | None = None,
    config: str | PathLike[str] | None = None,
    env: str | None = None,
    aws_conn_id: str | None = None,
    airbyte_conn_id: str | None = None,
    deferrable: bool | None = None,
    max_usd: float | None = None,
    task_ids: Mapping[str, str] | None = None,
    default_args: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    **dag_arguments: Any,
) -> DAG:
    """Return a DAG with a task for each step of the pipeline, in the order of the settings.

    A task that writes gold tables reports them as assets. The steps are read from the settings file when Airflow parses
    the DAG file; everything else of the settings is read when a task runs.

    Args:
        pipeline: The name of a pipeline in the settings.
        dag_id: The DAG's id; `dag_PIPELINE` unless set.
        config: The settings file; without one, that of ETLTCTL_CONFIG, or the nearest one. The DAG processor, the
            workers and the triggerer all read it at this path.
        env: The environment; without one, that of ETLTCTL_ENV, or the file's default.
        aws_conn_id: The Airflow connection with the credentials of AWS; without one, the SDK finds them.
        airbyte_conn_id: The Airflow connection with Airbyte's address and application; without one, the settings apply.
        deferrable: Whether a triggerer waits; overrides the setting `airflow.deferrable`.
        max_usd: The most that a whole run may cost, in US dollars.
        task_ids: Ids of tasks in place of the usual ones, by step.
        default_args: Arguments of every task, on top of three retries, a timeout of four hours and `tell_failure`.
        params: Parameters of the DAG, next to `fresh`.
        dag_arguments: Further arguments of Airflow's DAG, such as `schedule`, `start_date` or `tags`.

    Raises:
        AirflowException: The settings file is not there or is not valid, or it has no such pipeline.
    """
    outline = _outline(pipeline, config, env, task_ids or {})
    of_task: dict[str, Any] = {
        "config": config,
        "env": env,
        "aws_conn_id": aws_conn_id,
        "airbyte_conn_id": airbyte_conn_id,
    }
    names = task_names([each.step for each in outline], task_ids or {})
    with DAG(
        _valid(dag_id or f"dag_{pipeline}"),
        default_args={**TRIES, **(default_args or {})},
        params={"fresh": False, **(params or {})},
        **{**_usual_arguments(pipeline, outline), **dag_arguments},
    ) as dag:
        tasks = [
            StepOperator(
                task_id=names[each.step],
                pipeline=pipeline,
                step=each.step,
                deferrable=deferrable,
                max_usd=max_usd,
                outlets=tables(*each.gold),
                **of_task,
            )
            for each in outline
        ]
        for before, after in pairwise(tasks):
            before >> after
    return dag


def task_names(steps: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    """Return the id of each step's task.

    A short id serves while only one step of the pipeline has it; otherwise each gets the name of its step.

    Args:
        steps: The steps, `kind:name`.
        named: Ids that the caller chose, by step.
    """
    short = {step: _short_name(step) for step in steps}
    counts = Counter(short.values())
    return {
        step: named.get(step) or (short[step] if counts[short[step]] == 1 else _long_name(step))
        for step in steps
    }


def _short_name(step: str) -> str:
    kind, _, name = step.partition(":")
    pattern = SHORT.get(kind)
    match = pattern.match(name) if pattern else None
    return "_".join((VERBS[kind], *match.groups())) if match else _long_name(step)


def _long_name(step: str) -> str:
    if step == REFRESH:
        return "refresh_athena"
    kind, _, name = step.partition(":")
    return _valid(f"{VERBS.get(kind, kind)}_{name}")


def _valid(name: str) -> str:
    """Return the name with `_` for characters that no id of Airflow holds."""
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)


def _outline(
    pipeline: str, config: str | PathLike[str] | None, env: str | None, task_ids: Mapping[str, str]
) -> tuple[StepOutline, ...]:
    """Return the pipeline's steps. Errors are AirflowExceptions whose text is whole: Airflow shows nothing else."""
    from etltctl.settings.outline import pipeline_outline

    try:
        outline = pipeline_outline(pipeline, config=Path(fspath(config)) if config else None, env=env)
        steps = [each.step for each in outline]
        for step in task_ids:
            if step not in steps:
                guess = guess_text(step, steps)
                raise UsageError(
                    f"task_ids names the step {step}, which pipeline {pipeline} does not have{guess}"
                )
    except EtltctlError as error:
        raise AirflowException(sentence(error)) from error
    return outline


def _usual_arguments(pipeline: str, outline: Sequence[StepOutline]) -> dict[str, Any]:
    """Return the arguments of a DAG that the caller may replace."""
    steps = " → ".join(f"`{each.step}`" for each in outline)
    return {
        "schedule": None,
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": timedelta(hours=8),
        "tags": ["etltctl", pipeline],
        "doc_md": f"The steps of `{command('run', pipeline)}`: {steps}.\n\nA retry adopts or reuses what an "
        "earlier try started. Trigger with `fresh` to start every step again.",
    }
