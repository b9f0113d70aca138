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
    """Fires when a started step has ended, or cannot be watched. The task then polls for itself.

    Its arguments are those of `etltctl.pipeline.StepHandle`: ids, no secrets.
    """

    def __init__(self, **handle: Any) -> None:
        super().__init__()
        self.handle = handle

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return its class and arguments, from which any triggerer can build it again."""
        return f"{type(self).__module__}.{type(self).__name__}", self.handle

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event at the end, and no sooner than the scheduler knows that the task has left its worker."""
        try:
            await asyncio.gather(self._watch(), asyncio.sleep(_let_go_within_s()))
        except asyncio.CancelledError:
            if await asyncio.to_thread(self._is_killed):
                await self.on_kill()
            raise
        yield TriggerEvent(self.handle)

    async def on_kill(self) -> None:
        """Stop the remote work of a waiting task that was marked or cleared; Airflow calls this from 3.3 on."""
        from etltctl.airflow.callbacks import stop

        await asyncio.to_thread(stop, self.handle["step"], self.handle["run_id"])

    async def _watch(self) -> None:
        pipeline = await asyncio.to_thread(import_module, "etltctl.pipeline")
        try:
            await pipeline.wait_for_step(pipeline.StepHandle(**self.handle))
        except EtltctlError as error:
            self.log.warning("the task polls for itself: %s", error.message)

    def _is_killed(self) -> bool:
        """Return whether a cancelled trigger's task no longer waits. Airflow 2 does not say why it cancels.

        Airflow cancels a trigger as well when the triggerer shuts down; then the task waits on, for the next one.
        """
        if hasattr(BaseTrigger, "on_kill") or self.task_instance is None:
            return False
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session

        task = self.task_instance
        with create_session() as session:
            state = session.query(TaskInstance.state).filter_by(
                dag_id=task.dag_id, task_id=task.task_id, run_id=task.run_id, map_index=task.map_index
            )
            return bool(state.scalar() != "deferred")


def _let_go_within_s() -> float:
    """Return how many seconds Airflow 3's scheduler may need to know that a deferred task has left its worker.

    The worker notices within a heartbeat, and the scheduler's loop gets as much time again. Airflow counts a task that
    runs again before that as killed, and retries it. Airflow 2 handles the case itself and has no such setting.
    """
    return 2 * float(conf.getfloat("workers", "min_heartbeat_interval", fallback=0.0))
