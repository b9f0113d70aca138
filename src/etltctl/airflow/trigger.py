"""The trigger of one step: waits as `etltctl run` does, and survives the triggerer that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

from airflow.configuration import conf
from airflow.triggers.base import BaseTrigger, TriggerEvent

from etltctl.errors import EtltctlError


class StepTrigger(BaseTrigger):
    """Fires when what was begun has ended, or cannot be watched: the task then looks for itself.

    Its arguments are those of `etltctl.pipeline.Begun`: ids, no secrets.
    """

    def __init__(self, **begun: Any) -> None:
        super().__init__()
        self.begun = begun

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Its class and what it waits for, by which any triggerer can make it again."""
        return f"{type(self).__module__}.{type(self).__name__}", self.begun

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event, in the end, and no sooner than the scheduler knows that the worker let go of the task."""
        try:
            await asyncio.gather(self._watch(), asyncio.sleep(_let_go_within_s()))
        except asyncio.CancelledError:
            if await asyncio.to_thread(self._is_killed):
                await self.on_kill()
            raise
        yield TriggerEvent(self.begun)

    async def on_kill(self) -> None:
        """Somebody marked the waiting task or cleared it; Airflow calls this from 3.3 on."""
        from etltctl.airflow.stopping import stop

        await asyncio.to_thread(stop, self.begun["step"], self.begun["run_id"])

    async def _watch(self) -> None:
        pipeline = await asyncio.to_thread(import_module, "etltctl.pipeline")
        try:
            await pipeline.wait_for_step(pipeline.Begun(**self.begun))
        except EtltctlError as error:
            self.log.warning("the task looks for itself: %s", error.message)

    def _is_killed(self) -> bool:
        """Whether a cancelled trigger's task no longer waits, on Airflow 2, which tells its triggers nothing more."""
        if hasattr(BaseTrigger, "on_kill") or self.task_instance is None:
            return False
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session

        found = self.task_instance
        with create_session() as session:
            state = session.query(TaskInstance.state).filter_by(
                dag_id=found.dag_id, task_id=found.task_id, run_id=found.run_id, map_index=found.map_index
            )
            return bool(state.scalar() != "deferred")


def _let_go_within_s() -> float:
    """How long the scheduler of Airflow 3 may take to know that a deferred task has left its worker.

    The worker notices within a heartbeat; as long again is left to the scheduler's loop. A task that is running again
    before that counts as killed, and is retried. Airflow 2 knows the case, and has no such setting.
    """
    return 2 * float(conf.getfloat("workers", "min_heartbeat_interval", fallback=0.0))
