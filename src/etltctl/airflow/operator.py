"""The operator of one step: its start and its finish are etltctl's functions, and no worker slot is held in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from etltctl.airflow.assets import note_published
from etltctl.airflow.lineage import lineage_root
from etltctl.airflow.settings_source import SettingsSource
from etltctl.airflow.versions import TRIGGER_ERRORS, AirflowFailException, PythonOperator
from etltctl.errors import (
    BlockedError,
    BudgetError,
    ConfigurationError,
    EtltctlError,
    UnverifiedError,
    UsageError,
)

if TYPE_CHECKING:
    from etltctl.pipeline import StepHandle

# Another try would end in the same error.
FINAL = (UsageError, ConfigurationError, BlockedError, UnverifiedError, BudgetError)


def run_step(
    pipeline: str,
    step: str,
    run_id: str,
    fresh: bool = False,
    fresh_for: str = "",
    max_usd: float | None = None,
    lineage: str = "",
    source: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run the step in one process. `etltctl.pipeline` is imported in the worker, not by the DAG file."""
    from etltctl import pipeline as library

    return library.run_step(
        pipeline,
        step,
        run_id=run_id,
        fresh=fresh,
        fresh_for=fresh_for,
        max_usd=max_usd,
        settings=SettingsSource(**source or {}).connected(lineage),
    )


class StepOperator(PythonOperator):
    """One step of a pipeline as part of this DAG run.

    A retry adopts or reuses what an earlier try started. So does a cleared task, which logs it. The DAG run's
    parameter `fresh` starts the work again, once for each clear.

    Args:
        pipeline: The pipeline's name.
        step: One of its steps, `kind:name`.
        deferrable: Whether a triggerer waits; overrides the setting `airflow.deferrable`.
        max_usd: The most that the whole run may cost, in US dollars. The DAG run's parameter `max_usd` overrides it.
        aws_conn_id: The Airflow connection of the type `aws` with the credentials, the role and the region; without
            one, the SDK finds them. It may be a template.
        airbyte_conn_id: The Airflow connection of the type `airbyte` with the address, the client id and the client
            secret; without one, those of the settings apply. It may be a template.
        config: The settings file; without one, that of ETLTCTL_CONFIG, or the nearest one. A triggerer reads it too.
        env: The environment; without one, that of ETLTCTL_ENV, or the file's default.
        kwargs: The arguments of every operator.
    """

    ui_color = "#e3f1ec"
    template_fields = (*PythonOperator.template_fields, "aws_conn_id", "airbyte_conn_id")
    op_kwargs: dict[str, Any]

    def __init__(
        self,
        *,
        pipeline: str,
        step: str,
        deferrable: bool | None = None,
        max_usd: float | None = None,
        aws_conn_id: str | None = None,
        airbyte_conn_id: str | None = None,
        config: str | PathLike[str] | None = None,
        env: str | None = None,
        **kwargs: Any,
    ) -> None:
        # A template, filled in by Airflow: the run id is known only when the task runs.
        arguments = {"pipeline": pipeline, "step": step, "run_id": "{{ dag.dag_id }}-{{ run_id }}"}
        super().__init__(python_callable=run_step, op_kwargs=arguments, **kwargs)
        self.deferrable = deferrable
        self.max_usd = max_usd
        self.aws_conn_id = aws_conn_id
        self.airbyte_conn_id = airbyte_conn_id
        self.config = None if config is None else fspath(config)
        self.env = env

    def execute(self, context: Any) -> dict[str, Any]:
        """Run the step here, or start it and hand the wait to a trigger."""
        from etltctl.pipeline import start_step

        # Here and not in the constructor: the parameters belong to the DAG run, not to the DAG.
        self.op_kwargs = {**self.op_kwargs, **_freshness(context), **_limit(self.max_usd, context)}
        with _final_errors_fail_the_task():
            root = lineage_root(context)
            if not self._defers():
                self.op_kwargs = {**self.op_kwargs, "lineage": root, "source": self._source.as_dict()}
                return self._reported(super().execute(context), context)
            handle = start_step(**self.op_kwargs, settings=self._source.connected(root))
        # A run that has ended already needs no trigger, which would cost two more processes their turn.
        if handle.is_running:
            self._hand_over(handle)
        return self.finish(context, handle.as_dict())

    def finish(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """Continue after `execute`, in any process: poll, wait if need be, prove, publish."""
        from etltctl.pipeline import StepHandle, finish_step

        with _final_errors_fail_the_task():
            return self._reported(finish_step(StepHandle(**event), self._source.connected()), context)

    def resume_execution(self, next_method: str, next_kwargs: Any, context: Any) -> Any:
        """Continue after the trigger. A timeout follows the stop policy; if the trigger broke, wait here."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TRIGGER_ERRORS as error:
            # Airflow 2 has one error for both cases, and only its text says which it is.
            if "timeout" in str(error).lower():
                self.on_kill()
                raise
            self.log.warning("the trigger broke (%s): waiting here", error)
            self.deferrable = False
            return self.execute(context)

    def on_kill(self) -> None:
        """Apply the stop policy: the task was marked failed, cleared or timed out, or the worker shuts down."""
        from etltctl.airflow.callbacks import stop

        stop(self.op_kwargs["step"], self.op_kwargs["run_id"], self._source)

    @property
    def _source(self) -> SettingsSource:
        """Where the settings come from; the ids of connections are templates until the task runs."""
        return SettingsSource.of_task(self)

    def _hand_over(self, handle: StepHandle) -> None:
        """Leave the worker, by one of Airflow's exceptions. Airflow calls `finish` when the trigger fires."""
        from etltctl.airflow.trigger import StepTrigger

        self.log.info("%s %s: the wait is handed to the triggerer", handle.verb, handle.remote_id)
        trigger = StepTrigger(source=self._source.as_dict(), **handle.as_dict())
        self.defer(trigger=trigger, method_name="finish", timeout=self.execution_timeout)

    def _defers(self) -> bool:
        from etltctl.airflow.trigger import is_deferrable

        return is_deferrable(self._source) if self.deferrable is None else self.deferrable

    def _reported(self, result: dict[str, Any], context: Any) -> dict[str, Any]:
        """Return the result, after it is added to the assets' events; warn if nothing was started."""
        # Before the return: Airflow writes the assets' events when the task has succeeded.
        note_published(self.outlets, result, context)
        if result["verb"] == "reused":
            self.log.warning(
                "reused: %s of %s had succeeded in this DAG run already; nothing was started and nothing ran. "
                "For new work trigger a new DAG run, or clear this task in a run triggered with fresh = true.",
                result["remote_id"],
                result["step"],
            )
        return result


def _freshness(context: Any) -> dict[str, Any]:
    """Return whether the work starts fresh, and for which clear: the tries after one clear share its number."""
    if not (context.get("params") or {}).get("fresh"):
        return {}
    task_instance = context["ti"]
    return {"fresh": True, "fresh_for": f"clear {task_instance.max_tries - task_instance.task.retries}"}


def _limit(max_usd: float | None, context: Any) -> dict[str, Any]:
    """Return the most that the run may cost: the DAG run's parameter, else the operator's."""
    parameter = (context.get("params") or {}).get("max_usd")
    limit = max_usd if parameter in (None, "") else parameter
    return {} if limit is None else {"max_usd": float(limit)}


@contextmanager
def _final_errors_fail_the_task() -> Iterator[None]:
    """Fail the task at once, without retries, for an error that another try would meet again."""
    try:
        yield
    except FINAL as error:
        raise AirflowFailException(sentence(error)) from error


def sentence(error: EtltctlError) -> str:
    """Return the error as one text, for a place that shows only the text of an exception."""
    problems = getattr(error, "problems", ())
    return "; ".join([error.message, *problems, *([f"next: {error.hint}"] if error.hint else [])])
