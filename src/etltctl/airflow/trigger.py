"""The trigger of one step: waits as `etltctl run` does, and survives the triggerer that runs it, if there is one."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Mapping
from importlib import import_module
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from airflow.configuration import conf
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from etltctl.airflow.settings_source import SettingsSource
from etltctl.errors import EtltctlError

ANSWERS_WITHIN_S = 5.0


class StepTrigger(BaseTrigger):
    """Fires when a started step has ended, or cannot be watched. The task then polls for itself.

    Its arguments hold ids and no secrets, because Airflow keeps them in its database.

    Args:
        source: Where the settings come from, as `SettingsSource.as_dict` returns it.
        handle: The arguments of `etltctl.pipeline.StepHandle`.
    """

    def __init__(self, *, source: Mapping[str, str] | None = None, **handle: Any) -> None:
        super().__init__()
        self.source = SettingsSource(**source or {})
        self.handle = handle

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return its class and arguments, from which any triggerer can build it again."""
        return f"{type(self).__module__}.{type(self).__name__}", {
            **self.handle,
            "source": self.source.as_dict(),
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event at the end, and no sooner than the scheduler knows that the task has left its worker."""
        try:
            # Both, and not one after the other: the time to let go passes while the remote run goes on.
            await asyncio.gather(self._watch(), asyncio.sleep(_let_go_within_s()))
        except asyncio.CancelledError:
            # In a thread: a triggerer has one loop for all its triggers, and the database would block it.
            if await asyncio.to_thread(self._is_killed):
                await self.on_kill()
            raise
        yield TriggerEvent(self.handle)

    async def on_kill(self) -> None:
        """Stop the remote work of a waiting task that was marked or cleared; Airflow calls this from 3.3 on."""
        from etltctl.airflow.callbacks import stop

        await sync_to_async(stop, thread_sensitive=False)(
            self.handle["step"], self.handle["run_id"], self.source
        )

    async def _watch(self) -> None:
        # The import takes long enough to delay every other trigger of this loop.
        pipeline = await asyncio.to_thread(import_module, "etltctl.pipeline")
        try:
            # Not `asyncio.to_thread`: a triggerer asks its parent for connections in a way that asgiref bridges only.
            settings = await sync_to_async(self.source.connected, thread_sensitive=False)()
            await pipeline.wait_for_step(pipeline.StepHandle(**self.handle), settings)
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


def is_deferrable(source: SettingsSource) -> bool:
    """Return what the setting `airflow.deferrable` says; for `auto`, whether a triggerer serves now.

    Args:
        source: Where the settings come from.
    """
    deferrable = source.load().airflow.deferrable
    return _has_triggerer() if deferrable == "auto" else bool(deferrable)


def _has_triggerer() -> bool:
    from airflow import __version__

    return _has_triggerer_in_database() if __version__.startswith("2.") else _has_triggerer_at(_server())


def _server() -> str:
    """Return the URL where the workers reach Airflow 3's API server."""
    # The workers may reach the server by another address than people's browsers do.
    base = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    execution = conf.get("core", "execution_api_server_url", fallback="") or base
    return str(execution).rstrip("/").removesuffix("/execution")


def _has_triggerer_at(url: str) -> bool:
    """Return what Airflow's health page says of the triggerer; the page needs no login.

    Any other answer counts as none, because another program may listen there.
    """
    try:
        with urlopen(f"{url}/api/v2/monitor/health", timeout=ANSWERS_WITHIN_S) as answer:
            return bool(json.load(answer)["triggerer"]["status"] == "healthy")
    except (URLError, OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False


def _has_triggerer_in_database() -> bool:
    from airflow.jobs.job import most_recent_job
    from airflow.utils.session import create_session

    with create_session() as session:
        job = most_recent_job("TriggererJob", session=session)
        return bool(job is not None and job.is_alive())
