"""How an explanation is put together from the events of the run and of the runs before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from etltctl.causes import Diagnosis, catalogue, names_of
from etltctl.errors import NextStep, UsageError, command
from etltctl.explanation.earlier_runs import EarlierRuns
from etltctl.explanation.failed_step import FailedStep, failed_step, failed_try, is_repaired
from etltctl.explanation.model import BrokenRule, Ender, Explanation
from etltctl.explanation.next_steps import NextSteps
from etltctl.explanation.recorded_runs import failed_run, newest_runs
from etltctl.history import find_run
from etltctl.ledger import Event, is_publish, lost_events, spent_usd_of
from etltctl.values import is_billed

if TYPE_CHECKING:
    from etltctl.settings import Settings

OTHER_STEPS = frozenset({"JOB", "SOURCE", "NAME"})  # in a setting, what stands for the name of a step
MOST_RUNS = 200  # the newest ones are read, so that a long history costs no long wait


def explain(settings: Settings, run_id: str = "") -> Explanation:
    """Explain a run: why it failed, whether the data is safe, what it cost, and what to do.

    Args:
        settings: The settings, which say where the runs are kept.
        run_id: The run's id, or the end of it. If it is empty, the run of steps that failed last is meant;
            without one, the command that failed last, such as a refresh.

    Raises:
        UsageError: There is no such run, or no run has failed.
    """
    other = ""
    if run_id:
        events = _named_run(settings, run_id)
    else:
        events, other = failed_run(settings)
    explanation = explanation_of(events, settings)
    if not other or explanation.diagnosis is None:
        return explanation
    also = NextStep(command("why", other), "  # a command that failed later")
    return replace(explanation, next_steps=(*explanation.next_steps, also))


def _named_run(settings: Settings, run_id: str) -> list[dict[str, Any]]:
    """Return the events of a run; the code of a cause in place of its id is named as one."""
    try:
        return find_run(settings, run_id)
    except UsageError as error:
        if run_id.upper() in catalogue():
            code = command("why", "--code", run_id.upper())
            raise UsageError(
                error.message, hint=NextStep(f"{run_id.upper()} is the code of a cause: ", code)
            ) from error
        raise


def explanation_of(events: Sequence[Event], settings: Settings) -> Explanation:
    """Explain the run of these events.

    Args:
        events: The events of the run, oldest first, at least one.
        settings: The settings, which say where the earlier runs are kept.
    """
    started = next((event for event in events if event["type"] == "run.started"), None)
    state = Explanation(
        run_id=str(events[0]["run_id"]),
        pipeline=str(started.get("pipeline", "")) if started else "",
        env=str(events[-1].get("env") or events[0].get("env") or settings.env),
        outcome=_outcome(events),
        began=str(events[0]["ts"]),
        steps=tuple(_steps(events)),
        command=_command(started),
        cleared=next(
            (str(event["options"].get("cleared", "")) for event in events if "options" in event), ""
        ),
        notes=tuple(_gaps(events)),
        has_gaps=any(_gaps(events)),
    )
    failure = failed_step(events)
    if failure is not None:
        return _explained(state, failure, events, settings, is_billed=is_billed(state.env))
    if before := failed_try(events):
        return _recovered(state, before, events, settings)
    return replace(state, next_steps=tuple(_steps_of_healthy(state)))


def _recovered(
    state: Explanation, before: Sequence[Event], events: Sequence[Event], settings: Settings
) -> Explanation:
    """Explain the newest failed try of a run whose last try succeeded.

    Args:
        state: What is known of the run.
        before: The events up to the end of the failed try.
        events: All events of the run.
        settings: The settings.
    """
    failure = failed_step(before)
    assert failure is not None  # the try has an end that is not a success
    explained = _explained(state, failure, before, settings, is_billed=is_billed(state.env))
    if not is_repaired(failure, events):
        return replace(explained, outcome=_outcome(before))
    return replace(
        explained,
        recovered_at=str(events[-1]["ts"]),
        published=_published(events),
        may_be_half_published=False,
        spent_usd=spent_usd_of(events) if is_billed(state.env) else None,
        retry_usd=None,
        next_steps=tuple(_steps_of_healthy(state)),
    )


def _explained(
    state: Explanation, failure: FailedStep, events: Sequence[Event], settings: Settings, *, is_billed: bool
) -> Explanation:
    diagnosis = failure.diagnosis()
    earlier = EarlierRuns(state.pipeline, state.began, state.run_id)
    for run in newest_runs(settings, MOST_RUNS):
        earlier.add(run)
    seconds = failure.event.get("seconds")
    names = names_of(failure.name, state.run_id)
    ended_by, stopped_by = _ended_by(failure, events)
    notes = list(state.notes)
    if not failure.is_recorded_whole:
        notes.append("an older etltctl wrote this record: it has the error, but no excerpt of the log")
    return replace(
        state,
        step=failure.name,
        failed_at=str(failure.event["ts"]),
        seconds=seconds,
        error=failure.error,
        diagnosis=diagnosis,
        stopped_by=stopped_by,
        ended_by=ended_by,
        broken=tuple(_broken(failure, events)),
        tables=earlier.states(state.steps),
        published=_published(events),
        may_be_half_published=_is_publish_open(failure, diagnosis, events),
        spent_usd=spent_usd_of(events) if is_billed else None,
        retry_usd=earlier.step_usd(failure.name) if is_billed else None,
        settings=tuple(each for each in _settings_of(diagnosis, names) if settings.has_setting(each)),
        comparison=tuple(earlier.comparison(events, failure.name, seconds, diagnosis.cause.code)),
        next_steps=tuple(
            NextSteps(state, failure, diagnosis, events, earlier).steps(settings, is_billed=is_billed)
        ),
        notes=tuple(notes),
    )


def _settings_of(diagnosis: Diagnosis, names: Mapping[str, str]) -> Iterator[str]:
    """Yield the settings of the cause that are those of the step; one of another kind of step stays unnamed."""
    for setting in diagnosis.cause.settings:
        filled = str(NextStep(setting).filled(names))
        if not (set(filled.split(".")) & OTHER_STEPS and filled == setting and len(names) > 1):
            yield filled


def _outcome(events: Sequence[Event]) -> str:
    last = events[-1]
    return str(last.get("outcome") or "unfinished") if last["type"] == "run.finished" else "unfinished"


def _gaps(events: Sequence[Event]) -> Iterator[str]:
    """Yield what the record lacks: its beginning, or events between."""
    missing = lost_events(events)
    if not any(event["type"] == "run.started" for event in events):
        yield "the first event of the run is lost, so that its pipeline is not known"
    if missing > 0:
        yield f"{missing} {'event of the run is' if missing == 1 else 'events of the run are'} lost or damaged"


def _steps(events: Sequence[Event]) -> list[str]:
    """Return the steps that the run started with, `kind:name`."""
    return next((list(map(str, event["steps"])) for event in events if event.get("steps")), [])


def _command(started: Event | None) -> tuple[str, ...]:
    """Return the words of the command that a run without steps is of."""
    words = started.get("command") if started else None
    return tuple(words) if isinstance(words, list) else ()


def _broken(failure: FailedStep, events: Sequence[Event]) -> Iterator[BrokenRule]:
    """Yield the checks that stopped the publish of the step, in its last try."""
    since = max((e["seq"] for e in _of(failure, events) if e["type"] == "step.planned"), default=0)
    for event in _of(failure, events):
        is_stop = event["type"] == "check.result" and event.get("reaction") != "evolve"
        if is_stop and since < event["seq"] <= failure.event["seq"]:
            yield broken_rule(event)


def broken_rule(event: Event) -> BrokenRule:
    """Return the rule that an event `check.result` is about.

    Args:
        event: The event. An older or damaged one may lack any fact.
    """
    rule, name = str(event.get("rule") or ""), str(event.get("name") or "")
    return BrokenRule(
        table=str(event.get("table") or ""),
        name=name or rule,
        rule=rule or name,
        reaction=str(event.get("reaction") or ""),
        count=event.get("count") or 0,
        rows=tuple(row for row in event.get("rows") or () if isinstance(row, dict)),
    )


def _of(failure: FailedStep, events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event["step"] == failure.name]


def _is_publish_open(failure: FailedStep, diagnosis: Diagnosis, events: Sequence[Event]) -> bool:
    """Return whether the step failed between the good end of its remote run and the publish of its tables.

    The catalogue says of some causes that they refuse a set of tables before its first publish. Others, such as a
    publish of another run meanwhile, may come between two publishes.
    """
    of_step = _of(failure, events)
    planned = [number for number, event in enumerate(of_step) if event["type"] == "step.planned"]
    latest = of_step[planned[-1] :] if planned else of_step
    has_ended_well = any(event.get("state") == "SUCCEEDED" for event in latest)
    has_published = any(is_publish(event) for event in latest)
    return has_ended_well and not has_published and not diagnosis.cause.is_before_publish


def _ended_by(failure: FailedStep, events: Sequence[Event]) -> tuple[Ender, str]:
    """Return who ended the run, and the same in words."""
    if stopped := str(failure.event.get("stopped") or ""):
        return Ender.CALLER, f"stopped {stopped}"
    stopping = next(
        (e for e in reversed(events) if e["type"] == "remote.stopping" and e["step"] == failure.name), None
    )
    if stopping is not None:
        reason = f": {stopping['reason']}" if stopping.get("reason") else ""
        by, who = stopping.get("stopped_by", "etltctl"), stopping.get("who", "unknown")
        return Ender.CALLER, f"stopped by {by} ({who}){reason}"
    if failure.event.get("outcome") == "interrupted":
        return Ender.CALLER, f"stopped by an interrupt of the command ({failure.error or 'unknown'})"
    has_run = failure.service and f"{failure.service} run " in failure.error
    if has_run:
        return Ender.SERVICE, f"{failure.service} itself (not a person, not etltctl)"
    return Ender.ETLTCTL, f"etltctl, before or after the work of {failure.service or 'the services'}"


def _published(events: Sequence[Event]) -> tuple[str, ...]:
    return tuple(table for event in events if is_publish(event) for table in event["tables"])


def _steps_of_healthy(state: Explanation) -> Iterator[NextStep]:
    if state.outcome in ("unfinished", "detached"):
        yield NextStep(command("runs", "watch", state.run_id))
    yield NextStep(command("runs", "show", state.run_id))
