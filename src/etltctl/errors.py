"""Words for what went wrong, each with the exit code a shell sees.

EtltctlError                      1   a step failed
├── UsageError                    2   the command line asks for something that does not exist
├── ConfigurationError            3   a setting is missing, unknown or of the wrong kind
│   └── NotFoundError             3   the service says that what the settings name is not there
├── AccessError                   4   a service refused the credentials or the permission
├── BlockedError                  5   a check stopped the work before it was published
├── UnverifiedError               6   the service said success, the data does not
├── AlreadyRunningError           7   another run holds what this one needs
│   └── DrivenElsewhereError      7   another process drives this very run
├── WaitTimeoutError              8   waited long enough; the remote run is still running
├── BudgetError                   9   the work costs more than the settings allow
├── DetachedError               130   the wait was interrupted; the remote run goes on, as the user chose
├── ServiceError                  1   a service answered with an error
│   └── UnreachableError          1   a service did not answer at all
├── OutcomeUnknownError           1   a start was sent once and its answer never came
└── RunFailedError                1   the remote run ended and it was not a success
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum
from typing import Any

from etltctl.next_steps import RETRY, Command, Hint, NextStep, Parameter, command, install

__all__ = [
    "RETRY",
    "AccessError",
    "AlreadyRunningError",
    "BlockedError",
    "BudgetError",
    "Command",
    "ConfigurationError",
    "DetachedError",
    "DrivenElsewhereError",
    "EtltctlError",
    "ExitCode",
    "Hint",
    "NextStep",
    "NotFoundError",
    "OutcomeUnknownError",
    "Parameter",
    "RunFailedError",
    "ServiceError",
    "UnreachableError",
    "UnverifiedError",
    "UsageError",
    "WaitTimeoutError",
    "bounded",
    "command",
    "install",
    "unknown",
]


class ExitCode(IntEnum):
    """What the process returns; `docs/reference` shows the same table."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    ACCESS = 4
    BLOCKED = 5
    UNVERIFIED = 6
    ALREADY_RUNNING = 7
    TIMED_OUT = 8
    BUDGET = 9
    CHANGES = 10
    # 128 + the signal's number, as shells report a process that ended by SIGINT or SIGTERM.
    INTERRUPTED = 130
    TERMINATED = 143


LONGEST_TEXT = 4000


def bounded(text: str, limit: int = LONGEST_TEXT) -> str:
    """Return the text; of a long one its beginning and its end, because a service may answer with megabytes.

    Args:
        text: What a service or a file says.
        limit: The number of characters that are kept of it.
    """
    if len(text) <= limit:
        return text
    # The end of a text from a service often has the cause, as the last line of a traceback does.
    half = limit // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters left out … {text[-half:]}"


class EtltctlError(Exception):
    """A step failed.

    Attributes:
        message: What happened, and to which run or table.
        next_step: What to do next.
        facts: The particulars (ids, names, places) by name, in the order in which they are printed.
        record: What the ledger keeps of the failure: its cause, the evidence, an excerpt of the log.
        is_named: Whether its cause was looked up: each try of a run and each step of it would do so again.
    """

    exit_code: ExitCode = ExitCode.FAILED
    is_named: bool = False

    def __init__(self, message: str, *, hint: Hint = "", **facts: object) -> None:
        """Keep what is known of the error.

        Args:
            message: What happened; a long one keeps its beginning and its end.
            hint: What to do next.
            facts: The particulars; empty ones are left out.
        """
        message = bounded(message)
        super().__init__(message)
        self.message = message
        self.next_step = hint if isinstance(hint, NextStep) else NextStep(hint)
        # Zero and False are facts. Only what is unknown is left out.
        self.facts = {name: value for name, value in facts.items() if value not in (None, "")}
        self.record: dict[str, Any] = {}

    @property
    def hint(self) -> str:
        """Return what to do next as text; empty if no next step is known."""
        return str(self.next_step)

    @hint.setter
    def hint(self, text: str) -> None:
        self.next_step = NextStep(text)

    def name_retry(self, retry: str | Command) -> None:
        """Put the command that resumes this very run where the next step has `RETRY`.

        Without the run's id, `etltctl retry` would take the newest run, which may be another one.
        """
        self.next_step = self.next_step.naming(retry)


class UsageError(EtltctlError):
    """The command line asks for something that does not exist.

    Attributes:
        correction: The name that nothing has, and the nearest one that something has; None if none is near.
    """

    exit_code = ExitCode.USAGE
    correction: tuple[str, str] | None = None


def unknown(kind: str, name: str, known: Iterable[str], *, hint: Hint = "") -> UsageError:
    """Build the error for a name that nothing has.

    Args:
        kind: What has no such name, such as `table`.
        name: The name that was given.
        known: Every name that there is.
        hint: The next step where no known name is near; if it is empty, every known name.
    """
    every = sorted(known)
    # A table without its layer is the commonest slip, and names exactly what is meant.
    near = [other for other in every if other.endswith(f".{name}")]
    near = near or [other for other in get_close_matches(name, every, n=1) if _is_near(name, other)]
    guess = f"did you mean {near[0]}?" if near else hint or f"known: {', '.join(every) or 'none'}"
    error = UsageError(f"no {kind} is called {name}", hint=guess)
    error.correction = (name, near[0]) if near else None
    return error


def guess_text(name: str, known: Iterable[str]) -> str:
    """Return the question for a name that may be a known one mistyped, to end a message; empty if none is near.

    Args:
        name: The name that nothing has.
        known: Every name that there is.
    """
    near = get_close_matches(name, list(known), n=1)
    return f", did you mean {near[0]}?" if near else ""


def _is_near(name: str, other: str) -> bool:
    """Return whether a name may be another one mistyped. The part after the layer's dot or the kind's colon decides."""
    # By their whole length `gold.a` and `gold.b` are similar: the common prefix says nothing.
    ends = [re.split(r"[.:]", text)[-1] for text in (name, other)]
    return bool(get_close_matches(ends[0], ends[1:]))


class ConfigurationError(EtltctlError):
    """A setting is missing, unknown or of the wrong kind; `problems` lists every one with its place."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(
        self, message: str, *, hint: Hint = "", problems: tuple[str, ...] = (), **facts: object
    ) -> None:
        """Keep what is known of the error; `problems` are lines, each with its place."""
        super().__init__(message, hint=hint, **facts)
        self.problems = problems


# Below ConfigurationError, because the settings are what a person corrects then.
class NotFoundError(ConfigurationError):
    """The service says that what the settings name is not there."""


class AccessError(EtltctlError):
    """A service refused the credentials or the permission."""

    exit_code = ExitCode.ACCESS


class BlockedError(EtltctlError):
    """A check stopped the work before it was published; what was current stays current."""

    exit_code = ExitCode.BLOCKED


class UnverifiedError(EtltctlError):
    """The service said success, the data does not."""

    exit_code = ExitCode.UNVERIFIED


class AlreadyRunningError(EtltctlError):
    """Another run holds what this one needs."""

    exit_code = ExitCode.ALREADY_RUNNING


class DrivenElsewhereError(AlreadyRunningError):
    """Another process drives this very run."""


class WaitTimeoutError(EtltctlError):
    """Waited long enough; the remote run is still running."""

    exit_code = ExitCode.TIMED_OUT


class BudgetError(EtltctlError):
    """The work costs more than the settings allow: it was not started, or stopped."""

    exit_code = ExitCode.BUDGET


class DetachedError(EtltctlError):
    """The wait was interrupted and the remote run goes on, as the user chose."""

    exit_code = ExitCode.INTERRUPTED


class ServiceError(EtltctlError):
    """A service answered with an error.

    Attributes:
        code: The service's own word for the error.
        is_open: Whether the call may have taken effect. Then it must not be sent again before someone has checked.
    """

    def __init__(
        self, message: str, *, code: str = "", hint: Hint = "", is_open: bool = False, **facts: object
    ) -> None:
        """Keep what is known of the error."""
        super().__init__(message, hint=hint, **facts)
        # The code is compared, never shown alone: only the message has the service's words for people.
        self.code = code
        self.is_open = is_open


class UnreachableError(ServiceError):
    """A service did not answer at all: no route, no name, or no time left.

    Where no connection came about (`is_open` is false), the call was never sent.
    """

    def __init__(
        self, message: str, *, code: str = "", hint: Hint = "", is_open: bool = True, **facts: object
    ) -> None:
        """Keep what is known of the error."""
        super().__init__(message, code=code, hint=hint, is_open=is_open, **facts)

    @property
    def was_never_sent(self) -> bool:
        """Whether the call did not leave this machine, so that it may be sent again."""
        return not self.is_open


class OutcomeUnknownError(EtltctlError):
    """A start was sent once and its answer never came: the run may or may not exist."""


class RunFailedError(EtltctlError):
    """The remote run ended and it was not a success."""
