"""What a command works with: the console, the settings, and in the local environment the embedded endpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.cli.events import STDOUT, event_stream
from etltctl.console import Console, Output
from etltctl.errors import DetachedError, UsageError

if TYPE_CHECKING:
    from etltctl.local.client import Endpoints
    from etltctl.pipeline import Step, Wish
    from etltctl.runs import Run
    from etltctl.settings import Settings

LOCAL = "local"


class Interruption(StrEnum):
    """What an interrupt does to the remote work that is waited for."""

    ASK = "ask"
    STOP = "stop"
    DETACH = "detach"


@dataclass
class Session:
    """One invocation of etltctl: its global flags and its console."""

    console: Console = field(default_factory=Console)
    config: Path | None = None
    env: str | None = None
    events: str = ""
    is_told: bool = False  # that there is no settings file
    is_led_warned: bool = False  # that the shell leads AWS calls to this machine

    def run_id(self, named: str, *, is_new: bool, is_fresh: bool = False) -> str:
        """Return the whole id of the run that `--run-id` names, empty for none.

        Raises:
            UsageError: No such run is there to be resumed, or the options need a run that is not named.
        """
        if not named:
            wrong = "--new" if is_new else "--fresh" if is_fresh else ""
            if wrong:
                raise UsageError(
                    f"{wrong} needs the run that it is for", hint=f"name it: --run-id RUN {wrong}"
                )
            return ""
        from etltctl.history import run_to_resume
        from etltctl.pipeline import safe_run_id

        settings, run_id = self.load(), safe_run_id(named)
        if settings.env == LOCAL and "://" in settings.state:  # a bucket of the embedded server
            with self.connected() as settings:
                return run_to_resume(settings, run_id, is_new=is_new)
        return run_to_resume(settings, run_id, is_new=is_new)

    def require_ready(
        self, settings: Settings, walk: Iterable[Step], run_id: str = "", *, fresh: bool = False
    ) -> None:
        """Raise for what is certain to fail a run, before anything starts, the embedded server included.

        Args:
            settings: The settings.
            walk: The run's steps.
            run_id: The run that is resumed; empty for a new one.
            fresh: Whether the run's work starts again.

        Raises:
            ConfigurationError: A script, a secret or a rule of a table is wrong.
        """
        from etltctl.history import events_so_far
        from etltctl.ledger import newest_event
        from etltctl.pipeline import require_ready, unstarted

        if run_id and settings.env == LOCAL and "://" in settings.state:
            return  # the run is on record in the embedded server's S3: the run itself checks
        events = events_so_far(settings, run_id) if run_id else []
        require_ready(settings, unstarted(walk, partial(newest_event, events), fresh=fresh))

    def load(self, env: str | None = None) -> Settings:
        """Return the settings, as the flags, the environment and the files say; or those of another environment."""
        from etltctl.settings import load_settings

        settings = load_settings(config=self.config, env=env or self.env)
        if settings.file is None and not self.is_told and self.console.output in (Output.TABLE, Output.CSV):
            self.console.say("No settings file was found; the shipped defaults are used.")
        self.is_told = True
        if env is None and settings.env != LOCAL:
            self._warn_of_loopback()
        return settings

    def _warn_of_loopback(self) -> None:
        """Warn once of a shell in which `--env aws` would reach the embedded server and look like AWS."""
        from etltctl.cli.leading import loopback_endpoints

        if self.is_led_warned or not (places := loopback_endpoints(os.environ)):
            return
        self.is_led_warned = True
        named = ", ".join(f"{place} ({name})" for name, place in places.items())
        self.console.say(
            f"warning: this shell leads AWS calls to {named}, not to AWS; "
            'open another shell, or: eval "$(etltctl local env --unset)"'
        )

    @contextmanager
    def connected(
        self,
        check: Callable[[Settings], object] | None = None,
        *,
        outlives: bool = False,
        next_jobs: Callable[[Settings], Collection[str]] = lambda _: (),
    ) -> Iterator[Settings]:
        """Yield the settings with their services within reach.

        In the local environment the embedded server is found or started, this process's environment leads to it, and
        from here on nothing knows the difference. The server stays up for `local.linger_minutes` after the command,
        and until `etltctl local down` where work goes on after the command.

        Args:
            check: Called with the settings before anything starts.
            outlives: Whether what the command starts may go on after it.
            next_jobs: Names the Glue jobs that the command is about to run; the embedded server gets ready for them.
        """
        settings = self.load()
        if check is not None:
            check(settings)
        if settings.env != LOCAL:
            yield settings
            return
        from etltctl.local.client import endpoints

        with endpoints(
            settings, os.environ, self.console.warn, lingers=True, next_jobs=next_jobs(settings)
        ) as found:
            for warning in found.warnings:
                self.console.warn(warning)
            if outlives and not found.server.kept:
                self._keep(found)
            try:
                with found.lead(os.environ):
                    yield self.load()
            except DetachedError:
                self._keep(found)
                raise

    def _keep(self, found: Endpoints) -> None:
        found.keep()
        self.console.say("the embedded server stays up for it; etltctl local down ends it")

    @contextmanager
    def following(
        self,
        name: str,
        wish: Wish,
        on_interrupt: Interruption,
        check: Callable[[Settings], object] | None = None,
        *,
        outlives: bool = False,
        next_jobs: Callable[[Settings], Collection[str]] = lambda _: (),
    ) -> Iterator[tuple[Settings, Wish]]:
        """The settings within reach, and the wish with the console listening and asked what Ctrl-C means.

        With `--output ndjson` the stream of the events is the result.
        """
        target = self.events or (STDOUT if self.console.output is Output.NDJSON else "")
        self.console.is_streaming = target == STDOUT
        with (
            event_stream(target, self.console.stdout, self.console.say) as write,
            self.connected(check, outlives=outlives, next_jobs=next_jobs) as settings,
            self.console.following(name) as show,
        ):

            def on_event(event: Mapping[str, Any]) -> None:
                write(event)
                show(event)

            yield settings, replace(wish, on_event=on_event, on_interrupt=partial(self._decide, on_interrupt))

    def _decide(self, on_interrupt: Interruption, run: Run, may_ask: bool) -> str:
        if on_interrupt is not Interruption.ASK:
            return on_interrupt
        if not may_ask:
            return Interruption.STOP
        is_asked = self.console.ask(f"{run.service} run {run.id} goes on. Detach from it, or stop it? [d/s]")
        return Interruption.DETACH if is_asked.lower().startswith("d") else Interruption.STOP
