"""A failed run in a few lines, for those who do not sit at the terminal where it failed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from etltctl.errors import EtltctlError
from etltctl.ledger import Event, read_events
from etltctl.pipeline.model import safe_run_id
from etltctl.pipeline.services import Services

if TYPE_CHECKING:
    from etltctl.settings import Settings


def describe_failure(error: BaseException | str, run_id: str, settings: Settings | None = None) -> str:
    """What happened, its particulars, how each step of the run stands, and the next commands.

    Never raises: where the run's events cannot be read, it tells the rest.
    """
    run_id = safe_run_id(run_id)
    lines = [f"run {run_id} failed: {_message(error)}"]
    found = _ours(error)
    if found is not None:
        lines += [f"  {name}: {_indented(value)}" for name, value in found.facts.items()]
        lines += [f"  next: {found.hint}"] if found.hint else []
    with suppress(EtltctlError):
        lines += _standing(_events(run_id, settings))
    env = _env(settings)
    lines += [f"  events: etltctl runs show {run_id}{env}", f"  logs: etltctl runs logs {run_id}{env}"]
    return "\n".join([*lines, f"  resume it: clear the task, or etltctl retry {run_id}{env}"])


def _env(settings: Settings | None) -> str:
    """Return the flag that leads a command to the run's environment, wherever it is typed."""
    from etltctl.settings import load_settings

    try:
        return f" --env {(settings or load_settings()).env}"
    except EtltctlError:
        return ""


def _standing(events: list[Event]) -> list[str]:
    """A line a step: how it ended last, and the remote run behind it."""
    remote = {event["step"]: event["remote_id"] for event in events if "remote_id" in event}
    ended = {event["step"]: event["outcome"] for event in events if event["type"] == "step.finished"}
    return [f"  {step}: {outcome} {remote.get(step, '')}".rstrip() for step, outcome in ended.items()]


def _events(run_id: str, settings: Settings | None) -> list[Event]:
    from etltctl.settings import load_settings

    return read_events(Services(settings or load_settings()).store, run_id)


def _ours(error: BaseException | str | None) -> EtltctlError | None:
    """The error of ours in the chain of causes, if there is one."""
    while isinstance(error, BaseException):
        if isinstance(error, EtltctlError):
            return error
        error = error.__cause__
    return None


def _message(error: BaseException | str) -> str:
    found = _ours(error)
    if found is not None:
        return found.message
    return f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error


def _indented(value: object) -> str:
    return "\n    ".join(["", *str(value).splitlines()]) if "\n" in str(value) else str(value)
