"""The session of one command: its console, its settings, and in the local environment the embedded endpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.cli.progress import STDOUT, Drawing, drawn_run, event_stream
from etltctl.console import Console, Output
from etltctl.errors import DetachedError, EtltctlError, NextStep, UsageError, command
from etltctl.values import LOCAL

if TYPE_CHECKING:
    from etltctl.local.client import Endpoints
    from etltctl.pipeline import RunOptions, Step
    from etltctl.runs import Run
    from etltctl.settings import Settings


class Interruption(StrEnum):
    """What an interrupt does to the remote run that is waited for."""

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
    words: tuple[str, ...] = ()  # the command's name and its arguments, without options
    arguments: tuple[str, ...] = ()  # the whole command line, the global flags first
    settle: Callable[[], object] = lambda: None  # ends the live view, before a question is asked
    is_default_reported: bool = False  # whether the user has read that there is no settings file
    is_loopback_reported: bool = (
        False  # whether the user was warned that the shell leads AWS calls to this machine
    )

    def run_id(self, named: str, *, is_new: bool, is_fresh: bool = False) -> str:
        """Return the whole id of the run that `--run-id` names; empty if it names none.

        Args:
            named: The run's id, or the end of it.
            is_new: Whether a run of that id begins.
            is_fresh: Whether the run starts all of its steps again.

        Raises:
            UsageError: There is no such run to resume, or an option needs a run and none is named.
        """
        if not named:
            option = "--new" if is_new else "--fresh" if is_fresh else ""
            if option:
                raise UsageError(
                    f"{option} needs the run that it is for", hint=f"name it: --run-id RUN {option}"
                )
            return ""
        from etltctl.history import run_to_resume
        from etltctl.pipeline import RunId

        # The safe form, as the ledger's file is called.
        run_id = RunId(named).safe
        with self.reading(self.load()) as settings:
            return run_to_resume(settings, run_id, is_new=is_new)

    def require_ready(
        self, settings: Settings, walk: Iterable[Step], run_id: str = "", *, fresh: bool = False
    ) -> None:
        """Check for faults that are certain to fail a run, before anything starts, the embedded server included.

        Args:
            settings: The settings.
            walk: The run's steps.
            run_id: The run that is resumed; empty for a new one.
            fresh: Whether the run starts all of its steps again.

        Raises:
            ConfigurationError: A script, a secret or a rule of a table is wrong.
        """
        from etltctl.history import events_so_far
        from etltctl.ledger import newest_event
        from etltctl.pipeline import require_ready, unstarted

        if run_id and _is_in_embedded_bucket(settings):
            return  # the run is on record in the embedded server's S3: the run itself checks
        events = events_so_far(settings, run_id) if run_id else []
        require_ready(settings, unstarted(walk, partial(newest_event, events), fresh=fresh))

    def load(self, env: str | None = None) -> Settings:
        """Return the settings of the flags, the process's environment and the files.

        Args:
            env: Another environment of the settings than the one that the flags name.
        """
        from etltctl.settings import load_settings

        return self._reported(load_settings(config=self.config, env=env or self.env), env)

    def _reported(self, settings: Settings, env: str | None = None) -> Settings:
        """Return the settings, after what the user should know of where they come from and lead to."""
        if settings.file is None and not self.is_default_reported:
            self.console.say(
                NextStep(
                    f"no etltctl.toml here or above: the sample lake {settings.project} (weather and Formula 1) is "
                    "used. Make your own: ",
                    command("init"),
                )
            )
        self.is_default_reported = True
        if env is None and settings.env != LOCAL:
            self._warn_of_loopback()
        return settings

    def load_for_record(self) -> Settings:
        """Return the settings for a command that only reads what is on record; it needs no valid settings."""
        from etltctl.settings import load_for_record

        settings, problem = load_for_record(config=self.config, env=self.env)
        if not problem:
            return self._reported(settings)
        self.console.warn(
            NextStep(
                f"{problem}. Of the settings only the place of the record is used: {settings.state}. See: ",
                command("config", "validate"),
            )
        )
        return settings

    @contextmanager
    def reading(self, settings: Settings) -> Iterator[Settings]:
        """Yield the settings with the record of the runs within reach.

        A record in a bucket of the embedded server can be read only while the server runs. Any other needs no service
        but the S3 that `state` names.

        Args:
            settings: The settings, loaded before.
        """
        if not _is_in_embedded_bucket(settings):
            yield settings
            return
        with self.connected() as connected:
            yield connected

    def _warn_of_loopback(self) -> None:
        """Warn once if `--env aws` would reach the embedded server in this shell, which looks like AWS."""
        from etltctl.cli.leading import loopback_endpoints

        if self.is_loopback_reported or self.console.quiet or not (places := loopback_endpoints(os.environ)):
            return
        self.is_loopback_reported = True
        endpoints = ", ".join(f"{place} ({name})" for name, place in places.items())
        unset = command("local", "env", "--unset")
        self.console.warn(
            NextStep(
                f"this shell leads AWS calls to {endpoints}, not to AWS; ",
                'open another shell, or: eval "$(', unset, ')"',
            )
        )  # fmt: skip

    @contextmanager
    def connected(
        self,
        check: Callable[[Settings], object] | None = None,
        *,
        outlives: bool = False,
        next_jobs: Callable[[Settings], Collection[str]] = lambda _: (),
    ) -> Iterator[Settings]:
        """Yield the settings with their services within reach.

        In the local environment the embedded server is found or started, and the settings lead to it. From there on
        no code knows the difference. The server stays up for `local.linger_minutes` after the command.
        If remote runs go on after the command, it stays up until `etltctl local down`.

        Args:
            check: Called with the settings before anything starts.
            outlives: Whether a remote run that the command starts may go on after it.
            next_jobs: Returns the Glue jobs that the command is about to run; the embedded server prepares for them.
        """
        settings = self.load()
        if check is not None:
            # Before the server starts: a mistake in the settings should cost no waiting.
            check(settings)
        if settings.env != LOCAL:
            yield settings
            return
        from etltctl.local.client import endpoints

        with endpoints(
            settings, os.environ, self.console.warn, lingers=True, next_jobs=next_jobs(settings)
        ) as embedded:
            for warning in embedded.warnings:
                self.console.warn(NextStep.read(warning))
            # Kept before the start of the job run: a crash after it must not end the server under it.
            if outlives and not embedded.server.kept:
                self._keep(embedded)
            try:
                yield embedded.settings_of(settings)
            except DetachedError:
                self._keep(embedded)
                raise

    def _keep(self, embedded: Endpoints) -> None:
        embedded.keep()
        self.console.say(
            NextStep("the embedded server stays up for it; ", command("local", "down"), " ends it")
        )

    @contextmanager
    def following(
        self,
        name: str,
        options: RunOptions,
        on_interrupt: Interruption,
        check: Callable[[Settings], object] | None = None,
        *,
        outlives: bool = False,
        next_jobs: Callable[[Settings], Collection[str]] = lambda _: (),
        so_far: Sequence[Mapping[str, Any]] = (),
        drawn: AbstractContextManager[Drawing] | None = None,
    ) -> Iterator[tuple[Settings, RunOptions]]:
        """Yield the settings with their services within reach, and the run options with this console as listener.

        With `--output ndjson` the stream of the events is the result.

        Args:
            name: The run's pipeline, or what else is run.
            options: The run options; an interrupt is decided by this console.
            on_interrupt: What Ctrl-C does to the remote run.
            check: As for `connected`.
            outlives: As for `connected`.
            next_jobs: As for `connected`.
            so_far: The run's events before this command, if it joins a run.
            drawn: What draws the events in place of the steps of one run.
        """
        # One stream serves both: `--events FILE` next to the result, and `--output ndjson` as the result.
        target = self.events or (STDOUT if self.console.output is Output.NDJSON else "")
        self.console.is_streaming = target == STDOUT
        with (
            event_stream(target, self.console.stdout, self.console.say) as write,
            self.connected(check, outlives=outlives, next_jobs=next_jobs) as settings,
            drawn or drawn_run(self.console, name, self._durations(settings), so_far) as progress,
        ):
            from etltctl.pipeline import Services, in_detail, spent_usd

            services = Services(settings)
            self.settle = progress.settle

            def on_event(event: Mapping[str, Any]) -> None:
                write(event)
                progress.draw(event)

            def on_poll(step: str, run: Run) -> None:
                if not self.console.quiet:  # the details cost a call, which only a reader is worth
                    run = in_detail(step, run, services)
                progress.poll(step, run, spent_usd(step, run, settings), settings.env)

            decide = partial(self._decide, on_interrupt, progress)
            yield settings, replace(options, on_event=on_event, on_poll=on_poll, on_interrupt=decide)

    def _durations(self, settings: Settings) -> Mapping[str, Sequence[float]]:
        """Return how long the steps of earlier runs took; none if that is not known."""
        from etltctl.history import step_seconds

        if self.console.quiet:
            return {}
        with suppress(EtltctlError, OSError):  # only a forecast depends on it
            return step_seconds(settings)
        return {}

    def _decide(self, on_interrupt: Interruption, progress: Drawing, run: Run, may_ask: bool) -> str:
        progress.settle()  # what follows is read as it is written, with no line that moves
        if on_interrupt is not Interruption.ASK:
            return on_interrupt
        # No one can answer in a pipe or a DAG, and work that costs money must not go on unseen.
        if not may_ask:
            return Interruption.STOP
        answer = ""
        with suppress(KeyboardInterrupt):  # a second Ctrl-C stops the run
            answer = self.console.ask(
                f"{run.service} run {run.id} goes on. Detach from it, or stop it? [d/s]"
            )
        return Interruption.DETACH if answer.lower().startswith("d") else Interruption.STOP


def _is_in_embedded_bucket(settings: Settings) -> bool:
    return settings.is_embedded and "://" in settings.state
