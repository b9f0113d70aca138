"""The report of a failed run in a few lines, for people who are not at the terminal where it failed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from etltctl.errors import EtltctlError
from etltctl.ledger import Event, read_events
from etltctl.pipeline.run_ids import RunId
from etltctl.pipeline.services import Services

if TYPE_CHECKING:
    from etltctl.settings import Settings


def describe_failure(error: BaseException | str, run_id: str, settings: Settings | None = None) -> str:
    """Return what happened, its particulars, the state of each step of the run, and the next commands.

    It never raises. If the run's events cannot be read, it reports the rest.

    Args:
        error: The error, or a sentence.
        run_id: The run's id.
        settings: The settings; None loads them.
    """
    run_id = RunId(run_id).safe
    lines = [f"run {run_id} failed: {_message(error)}"]
    cause = _etltctl_error(error)
    if cause is not None:
        lines += [f"  {name}: {_indented(value)}" for name, value in cause.facts.items()]
        lines += [f"  next: {cause.hint}"] if cause.hint else []
    with suppress(EtltctlError):
        lines += _step_lines(_events(run_id, settings))
    env = _env_flag(settings)
    lines += [f"  events: etltctl runs show {run_id}{env}", f"  logs: etltctl runs logs {run_id}{env}"]
    return "\n".join([*lines, f"  resume it: clear the task, or etltctl retry {run_id}{env}"])


def _env_flag(settings: Settings | None) -> str:
    """Return the flag with which a command reaches the run's environment, on whichever machine it is typed."""
    from etltctl.settings import load_settings

    try:
        return f" --env {(settings or load_settings()).env}"
    except EtltctlError:
        return ""


def _step_lines(events: list[Event]) -> list[str]:
    """Return a line for each step: how it ended last, and its remote run."""
    remote_ids = {event["step"]: event["remote_id"] for event in events if "remote_id" in event}
    outcomes = {event["step"]: event["outcome"] for event in events if event["type"] == "step.finished"}
    return [f"  {step}: {outcome} {remote_ids.get(step, '')}".rstrip() for step, outcome in outcomes.items()]


def _events(run_id: str, settings: Settings | None) -> list[Event]:
    from etltctl.settings import load_settings

    return read_events(Services(settings or load_settings()).store, run_id)


def _etltctl_error(error: BaseException | str | None) -> EtltctlError | None:
    """Return the first error of etltctl in the chain of causes; None if there is none."""
    while isinstance(error, BaseException):
        if isinstance(error, EtltctlError):
            return error
        error = error.__cause__
    return None


def _message(error: BaseException | str) -> str:
    cause = _etltctl_error(error)
    if cause is not None:
        return cause.message
    return f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error


def _indented(value: object) -> str:
    return "\n    ".join(["", *str(value).splitlines()]) if "\n" in str(value) else str(value)
