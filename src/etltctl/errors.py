"""Words for what went wrong, each with the exit code a shell sees.

EtltctlError                      1   a step failed
├── UsageError                    2   the command line asks for something that does not exist
├── ConfigurationError            3   a setting is missing, unknown or of the wrong kind
│   └── NotFoundError             3   the service says that what the settings name is not there
├── AccessError                   4   a service refused the credentials or the permission
├── BlockedError                  5   a check stopped the work before it was published
├── UnverifiedError               6   the service said success, the data does not
├── AlreadyRunningError           7   somebody else's run holds what this one needs
│   └── DrivenElsewhereError      7   another process drives this very run
├── WaitTimeoutError              8   waited long enough; the remote run is still running
├── BudgetError                   9   the work costs more than the settings allow
├── DetachedError               130   interrupted; the remote run goes on, as was asked
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
from pathlib import Path

# In the hint of code that does not know of runs; what drives the run fills in its id.
RETRY = "etltctl retry RUN"


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
    INTERRUPTED = 130
    TERMINATED = 143


LONGEST_TEXT = 4000


def bounded(text: str, most: int = LONGEST_TEXT) -> str:
    """Return the text, of a long one its beginning and its end: what a service says may be megabytes long."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters left out … {text[-half:]}"


class EtltctlError(Exception):
    """A step failed.

    `message` says what happened and to which run, `hint` what to do next, `facts` hold the particulars
    (ids, names, places) by name, in the order they should be read.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "", **facts: object) -> None:
        message = bounded(message)
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = {name: value for name, value in facts.items() if value not in (None, "")}

    def name_retry(self, command: str) -> None:
        """Put the command that resumes this very run where the hint has `RETRY`: a retry of none takes the newest."""
        self.hint = self.hint.replace(RETRY, command)


class UsageError(EtltctlError):
    """The command line asks for something that does not exist."""

    exit_code = ExitCode.USAGE


def unknown(kind: str, name: str, known: Iterable[str], *, hint: str = "") -> UsageError:
    """Build the error for a name that nothing has: it says the nearest one, else `hint`, else every name."""
    every = sorted(known)
    near = [other for other in every if other.endswith(f".{name}")]
    near = near or [other for other in get_close_matches(name, every, n=1) if _is_near(name, other)]
    told = f"did you mean {near[0]}?" if near else hint or f"known: {', '.join(every) or 'none'}"
    return UsageError(f"no {kind} is called {name}", hint=told)


def _is_near(name: str, other: str) -> bool:
    """Return whether a name may be another one mistyped. The part after the layer's dot or the kind's colon decides."""
    ends = [re.split(r"[.:]", text)[-1] for text in (name, other)]
    return bool(get_close_matches(ends[0], ends[1:]))


class ConfigurationError(EtltctlError):
    """A setting is missing, unknown or of the wrong kind; `problems` lists every one with its place."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(
        self, message: str, *, hint: str = "", problems: tuple[str, ...] = (), **facts: object
    ) -> None:
        super().__init__(message, hint=hint, **facts)
        self.problems = problems


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
    """Somebody else's run holds what this one needs."""

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
    """The wait was interrupted and the remote run goes on, as was asked."""

    exit_code = ExitCode.INTERRUPTED


class ServiceError(EtltctlError):
    """A service answered with an error; `code` is the service's own word for it.

    `is_open` tells that the answer leaves it open whether the call took effect, so that it must not be sent again
    before somebody has looked.
    """

    def __init__(
        self, message: str, *, code: str = "", hint: str = "", is_open: bool = False, **facts: object
    ) -> None:
        super().__init__(message, hint=hint, **facts)
        self.code = code
        self.is_open = is_open


class UnreachableError(ServiceError):
    """A service did not answer at all: no route, no name, or no time left.

    Where no connection came about (`is_open` is false), the call was never sent.
    """

    def __init__(
        self, message: str, *, code: str = "", hint: str = "", is_open: bool = True, **facts: object
    ) -> None:
        super().__init__(message, code=code, hint=hint, is_open=is_open, **facts)

    @property
    def was_never_sent(self) -> bool:
        """Whether the call did not leave this machine, so that it may be sent again."""
        return not self.is_open


class OutcomeUnknownError(EtltctlError):
    """A start was sent once and its answer never came: the run may or may not exist."""


class RunFailedError(EtltctlError):
    """The remote run ended and it was not a success."""


def install(extra: str) -> str:
    """Return the command that adds an extra to this installation, however etltctl was installed."""
    import shlex
    import sys
    from importlib.util import find_spec

    prefix, wanted = Path(sys.prefix).as_posix(), f"etltctl[{extra}]"
    address, is_editable = _installed_from()
    if is_editable:
        return f"in the checkout of etltctl: pip install -e '.[{extra}]'"
    requirement = shlex.quote(f"{wanted} @ {address}" if address else wanted)
    if "/uv/tools/" in prefix:
        return f"uv tool install --force {requirement}"
    if "/pipx/" in prefix:
        return f"pipx install --force {requirement}"
    if find_spec("pip") is None:
        return f"uv pip install --python {shlex.quote(sys.executable)} {requirement}"
    return f"{shlex.quote(sys.executable)} -m pip install {requirement}"


def _installed_from() -> tuple[str, bool]:
    """Return the wheel or folder that etltctl was installed from (empty: an index), and whether it is editable."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        told = json.loads(distribution("etltctl").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, OSError, ValueError):
        return "", False
    return str(told.get("url", "")), bool(told.get("dir_info", {}).get("editable"))
