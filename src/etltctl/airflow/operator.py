"""The operator of one step: its start and its finish are etltctl's functions, and no worker slot is held in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from etltctl.airflow.lake import note_published
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
    from etltctl.pipeline import Begun

# Another try would end the same.
FINAL = (UsageError, ConfigurationError, BlockedError, UnverifiedError, BudgetError)


def run_step(
    pipeline: str,
    step: str,
    run_id: str,
    fresh: bool = False,
    fresh_for: str = "",
    max_usd: float | None = None,
) -> dict[str, Any]:
    """Runs the step in one piece; `etltctl.pipeline` is imported in the worker, not by the DAG file."""
    from etltctl import pipeline as library

    return library.run_step(pipeline, step, run_id=run_id, fresh=fresh, fresh_for=fresh_for, max_usd=max_usd)


class StepOperator(PythonOperator):
    """One step of a pipeline as part of this DAG run.

    A retry adopts or reuses what an earlier try started; so does a cleared task, which says so. The DAG run's
    parameter `fresh` starts the work again, once a clear. The whole run may cost `max_usd` US dollars at most; the DAG
    run's parameter `max_usd` overrides it. `deferrable` overrides the setting `airflow.deferrable`.
    """

    ui_color = "#e3f1ec"
    op_kwargs: dict[str, Any]

    def __init__(
        self,
        *,
        pipeline: str,
        step: str,
        deferrable: bool | None = None,
        max_usd: float | None = None,
        **kwargs: Any,
    ) -> None:
        arguments = {"pipeline": pipeline, "step": step, "run_id": "{{ dag.dag_id }}-{{ run_id }}"}
        super().__init__(python_callable=run_step, op_kwargs=arguments, **kwargs)
        self.deferrable = deferrable
        self.max_usd = max_usd

    def execute(self, context: Any) -> dict[str, Any]:
        """Runs the step here, or starts it and hands the wait to a trigger."""
        from etltctl.pipeline import start_step

        self.op_kwargs = {**self.op_kwargs, **_freshness(context), **_limit(self.max_usd, context)}
        with _not_tried_again_in_vain():
            if not self._defers():
                return self._told(super().execute(context), context)
            begun = start_step(**self.op_kwargs)
        if begun.is_running:
            self._hand_over(begun)
        return self.finish(context, begun.as_dict())

    def finish(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """Goes on where `execute` left off, in whatever process: looks for itself, proves, publishes."""
        from etltctl.pipeline import Begun, finish_step

        with _not_tried_again_in_vain():
            return self._told(finish_step(Begun(**event)), context)

    def resume_execution(self, next_method: str, next_kwargs: Any, context: Any) -> Any:
        """Goes on after the trigger; one that was out of time follows the stop policy, one that broke is waited for."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TRIGGER_ERRORS as error:
            if "timeout" in str(error).lower():
                self.on_kill()
                raise
            self.log.warning("the trigger broke (%s): waiting here", error)
            self.deferrable = False
            return self.execute(context)

    def on_kill(self) -> None:
        """Marked failed, cleared, out of time, or the worker shuts down: remote work follows the stop policy."""
        from etltctl.airflow.stopping import stop

        stop(self.op_kwargs["step"], self.op_kwargs["run_id"])

    def _hand_over(self, begun: Begun) -> None:
        """Leaves the worker, by an exception of Airflow's; `finish` is called when the trigger fires."""
        from etltctl.airflow.trigger import StepTrigger

        self.log.info("%s %s: the wait is handed to the triggerer", begun.verb, begun.remote_id)
        trigger = StepTrigger(**begun.as_dict())
        self.defer(trigger=trigger, method_name="finish", timeout=self.execution_timeout)

    def _defers(self) -> bool:
        from etltctl.airflow.serving import is_deferrable

        return is_deferrable() if self.deferrable is None else self.deferrable

    def _told(self, result: dict[str, Any], context: Any) -> dict[str, Any]:
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
    """Whether the work begins anew, and for which clear: tries that repeat one another share its number."""
    if not (context.get("params") or {}).get("fresh"):
        return {}
    task_instance = context["ti"]
    return {"fresh": True, "fresh_for": f"clear {task_instance.max_tries - task_instance.task.retries}"}


def _limit(max_usd: float | None, context: Any) -> dict[str, Any]:
    """Return the most that the run may cost: the DAG run's parameter, else the operator's."""
    given = (context.get("params") or {}).get("max_usd")
    limit = max_usd if given in (None, "") else given
    return {} if limit is None else {"max_usd": float(limit)}


@contextmanager
def _not_tried_again_in_vain() -> Iterator[None]:
    """An error that another try would meet again fails the task at once."""
    try:
        yield
    except FINAL as error:
        raise AirflowFailException(_sentence(error)) from error


def _sentence(error: EtltctlError) -> str:
    problems = getattr(error, "problems", ())
    return "; ".join([error.message, *problems, *([f"next: {error.hint}"] if error.hint else [])])
