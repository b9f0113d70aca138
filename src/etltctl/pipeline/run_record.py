"""The record of a run: which process drives it, with which options it began, how it and its steps ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from etltctl.errors import (
    AccessError,
    Command,
    EtltctlError,
    NextStep,
    OutcomeUnknownError,
    Parameter,
    UsageError,
    command,
)
from etltctl.ledger import Ledger
from etltctl.observers import Observation, observed, origin_of_run
from etltctl.pipeline.failure_cause import error_facts, hide_secrets, name_cause, recorded_cause
from etltctl.pipeline.failures import name_refusal, refusals_named
from etltctl.pipeline.interrupts import interrupt_name, is_interrupt
from etltctl.pipeline.kinds import kind_of, lineage_of, steps
from etltctl.pipeline.model import UNKNOWN_START, Step, StepHandle, outcome_of, steps_hint
from etltctl.pipeline.option_effects import options_in_force
from etltctl.pipeline.options import RunOptions
from etltctl.pipeline.preflight import require_allowed, require_ready, unstarted
from etltctl.pipeline.run_ids import RunId, new_run_id
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StepRun

if TYPE_CHECKING:
    from etltctl.settings import Settings


@contextmanager
def driven(services: Services, options: RunOptions, name: str) -> Iterator[Ledger]:
    """Yield the run's ledger while this process alone drives the run.

    Args:
        services: The services.
        options: The caller's options, with the id of the run; without one a new run begins.
        name: What a new run is of.

    Raises:
        DrivenElsewhereError: Another process drives the run.
    """
    run_id = RunId(options.run_id).safe or new_run_id(name)
    # Around the lease: another process may drive the run while this one sends its last deliveries.
    with observed(observation_of(services, run_id)) as observe, services.store.lease(run_id) as is_lost:
        # Read under the lease: the process that drove the run before has written its last event.
        yield Ledger(services.store, run_id, services.settings.env, options.on_event, is_lost, observe)


def observation_of(services: Services, run_id: str) -> Observation:
    """Return what observers may ask about a run.

    Args:
        services: The services.
        run_id: The run's id.
    """
    settings = services.settings
    return Observation(run_id, settings, services.aws, lambda step: lineage_of(Step.parse(step), settings))


@contextmanager
def recorded_run(
    name: str,
    walk: Sequence[Step],
    settings: Settings,
    options: RunOptions,
    *,
    is_pipeline: bool = False,
    words: Sequence[str] = (),
) -> Iterator[tuple[Services, Ledger]]:
    """Yield the services and the ledger of a run that is on record from its first event to its last.

    Args:
        name: What the run is of.
        walk: The steps of this try.
        settings: The settings.
        options: The caller's options.
        is_pipeline: Whether it is a run of the whole pipeline `name`.
        words: The words of the command that a run without steps is of: only they do its work again.

    Raises:
        UsageError: A whole pipeline under the id of a run of something else: its jobs would start once more.
    """
    services = Services(settings)
    first = str(walk[0]) if walk else ""
    with refusals_named(first, services), driven(services, options, name) as ledger:
        if is_pipeline and ledger.pipeline not in ("", name):
            raise UsageError(
                f"run {ledger.run_id} is a run of {ledger.pipeline}, not of {name}",
                hint=NextStep(
                    "leave out ",
                    Parameter("run_id"),
                    " to start a new run, or: ",
                    command("retry", ledger.run_id),
                ),
            )
        require_ready(settings, unstarted(walk, ledger.last, fresh=options.fresh))
        started = time.monotonic()  # what comes before the first event is not the time of the run
        _record_begin(ledger, name, walk, options, services, words)
        try:
            step_runs = [StepRun(ledger.pipeline, step, services, ledger) for step in walk]
            require_allowed(step_runs, fresh=options.fresh)
            yield services, ledger
        except BaseException as error:
            hide_secrets(error, settings)
            is_of_a_step = _is_of_a_step(error)  # once its cause is named, every error looks like one
            if isinstance(error, EtltctlError):
                # A run without steps cannot be resumed.
                again = command("retry", ledger.run_id) if walk else Command(tuple(words))
                error.name_retry(again)
                name_cause(error, step=first, run_id=ledger.run_id, again=again)
            _note_failure(ledger, error, seconds_since(started), is_of_a_step=is_of_a_step)
            raise
        ledger.append("run.finished", outcome="succeeded", seconds=seconds_since(started))


@contextmanager
def scheduled_step(
    pipeline: str,
    step: str,
    options: RunOptions,
    settings: Settings | None,
    *,
    is_started: bool = False,
    is_finished: bool = True,
) -> Iterator[StepRun]:
    """Yield one step of a pipeline's run that a scheduler drives step by step.

    Args:
        pipeline: The pipeline.
        step: One of its steps.
        options: The caller's options.
        settings: The settings; None loads them.
        is_started: Whether the step was started before, so that what it needs for a start is not checked.
        is_finished: Whether the block finishes the step; the run ends with its last step.

    Raises:
        UsageError: The pipeline has no such step, or the options name no run.
    """
    from etltctl.settings import load_settings

    if not options.run_id:
        raise UsageError(
            "a step needs the id of the run it belongs to", hint="pass run_id, the same for every try"
        )
    settings = settings or load_settings()
    walk = steps(pipeline, settings)
    this = next((candidate for candidate in walk if str(candidate) == step), None)
    if this is None:
        raise UsageError(f"pipeline {pipeline} has no step {step}", hint=steps_hint(walk))
    services, on_kill = Services(settings), settings.airflow.on_kill
    with refusals_named(step, services), driven(services, options, pipeline) as ledger:
        is_fresh = options.fresh and not ledger.was_fresh_for(step, options.fresh_for)
        if not is_started:
            # A first task that checks the later jobs saves a long sync before a job that cannot compile.
            checked = [this] if ledger.pipeline else _checked_at_once(walk, this)
            require_ready(settings, unstarted(checked, ledger.last, fresh=is_fresh))
        record_resumed(ledger, pipeline, walk, options, services)
        with failure_ends(ledger, settings):
            if not is_started:
                step_runs = [StepRun(pipeline, one, services, ledger) for one in checked]
                require_allowed(step_runs, fresh=is_fresh)
            yield StepRun(pipeline, this, services, ledger, lambda *_: on_kill)
            if is_finished and this == walk[-1]:
                ledger.note("run.finished", outcome="succeeded", seconds=ledger.seconds)


def _checked_at_once(walk: Sequence[Step], first: Step) -> list[Step]:
    """Return the steps to check when a run begins: the first, and of the later ones those whose kind says so.

    The tasks of the other steps may run on other machines, which have other secrets.
    """
    later = walk[walk.index(first) + 1 :]
    return [first, *(step for step in later if kind_of(step).is_checked_at_once)]


def _record_begin(
    ledger: Ledger,
    name: str,
    walk: Sequence[Step],
    options: RunOptions,
    services: Services,
    words: Sequence[str] = (),
) -> None:
    """Record that the run begins or resumes, with the caller's options, else those that the run had before."""
    recorded = options_in_force(ledger, walk, options)
    origin = origin_of_run(services.settings, services.aws)
    facts: dict[str, Any] = {"command": list(words)} if words else {}
    facts |= {"lineage": origin} if origin else {}
    ledger.append("run.started", pipeline=name, steps=[str(step) for step in walk], options=recorded, **facts)


def record_resumed(
    ledger: Ledger, name: str, walk: Sequence[Step], options: RunOptions, services: Services
) -> None:
    """Record the beginning of a run that is new, and new options of a run that is not."""
    recorded = options_in_force(ledger, walk, options)
    if not ledger.pipeline:
        _record_begin(ledger, name, walk, options, services)
    elif ledger.options != recorded:
        ledger.append("run.options", options=recorded)


@contextmanager
def failure_ends(ledger: Ledger, settings: Settings) -> Iterator[None]:
    """Record that the run, or this try of it, has ended if an error or an interrupt ends the block."""
    try:
        yield
    except BaseException as error:
        hide_secrets(error, settings)
        _note_failure(ledger, error, ledger.seconds, is_of_a_step=_is_of_a_step(error))
        raise


def _is_of_a_step(error: BaseException) -> bool:
    """Return whether a step failed of the error, which then is on record with the step."""
    return isinstance(error, EtltctlError) and bool(error.record)


def _note_failure(ledger: Ledger, error: BaseException, seconds: float, *, is_of_a_step: bool) -> None:
    """Record that an error or an interrupt ended the run, or this try of it. A step's error is on record with it."""
    facts = {} if is_of_a_step else error_facts(error)
    ledger.note("run.finished", outcome=outcome_of(error), seconds=seconds, **facts)


def record_plan(step_run: StepRun, options: RunOptions) -> None:
    """Record that the step begins, and whether its work starts fresh."""
    is_fresh = options.fresh and not step_run.ledger.was_fresh_for(str(step_run.step), options.fresh_for)
    facts = {"fresh": True} if is_fresh else {}
    cause = {"fresh_for": options.fresh_for} if is_fresh and options.fresh_for else {}
    step_run.append("step.planned", **facts, **cause)


@contextmanager
def failure_recorded(step_run: StepRun, handle: StepHandle) -> Iterator[None]:
    """Record how the step ended if an error or an interrupt ends the block; complete the error's hint."""
    try:
        yield
    except BaseException as error:
        run_id = step_run.ledger.run_id
        hide_secrets(error, step_run.settings)
        message = error.message if isinstance(error, EtltctlError) else interrupt_name(error)
        if isinstance(error, EtltctlError):
            error.name_retry(command("retry", run_id))
            name_cause(error, step=str(step_run.step), run_id=run_id)
        if isinstance(error, AccessError):
            name_refusal(error, str(step_run.step), step_run.services)
        if is_interrupt(error) and not _is_decided(step_run):
            step_run.warn(f"interrupted, and nothing remote was stopped: {command('retry', run_id)} goes on")
        seconds = round(handle.elapsed, 2)
        start = {"start": UNKNOWN_START} if isinstance(error, OutcomeUnknownError) else {}
        cause = recorded_cause(error)
        step_run.note(
            "step.finished", outcome=outcome_of(error), seconds=seconds, error=message, **cause, **start
        )
        raise


def _is_decided(step_run: StepRun) -> bool:
    """Return whether it is on record, since the step was planned, that its remote run stops or goes on."""
    newest = step_run.last("step.planned", "remote.stopping", "remote.stopped", "remote.detached")
    return newest is not None and newest["type"] != "step.planned"


def seconds_since(started: float) -> float:
    """Return the seconds since a reading of the monotonic clock."""
    return round(time.monotonic() - started, 2)
