"""What a look at one thing told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from etltctl.errors import AccessError, EtltctlError, ExitCode

LONGEST_EVIDENCE = 300


class Area(StrEnum):
    """What the doctor can be asked to look at alone."""

    VERSIONS = "versions"
    SETTINGS = "settings"
    LOCAL = "local"
    AWS = "aws"
    PERMISSIONS = "permissions"
    BUCKETS = "buckets"
    GLUE = "glue"
    ATHENA = "athena"
    AIRBYTE = "airbyte"
    GOVERNANCE = "governance"


class Status(StrEnum):
    """How it stands: well; worth a look; broken; or not looked at, with the reason."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Finding:
    """One thing and how it stands: what was seen (`evidence`) and what to do about it (`fix`)."""

    subject: str
    status: Status
    evidence: str
    fix: str = ""
    code: ExitCode = ExitCode.OK


def ok(subject: str, evidence: str) -> Finding:
    """The thing is well."""
    return Finding(subject, Status.OK, evidence)


def warn(subject: str, evidence: str, fix: str) -> Finding:
    """A run will work, but not as anybody would want."""
    return Finding(subject, Status.WARN, evidence, fix)


def fail(subject: str, evidence: str, fix: str, code: ExitCode = ExitCode.CONFIGURATION) -> Finding:
    """A run will fail."""
    return Finding(subject, Status.FAIL, evidence, fix, code)


def skip(subject: str, evidence: str) -> Finding:
    """It was not looked at, and why."""
    return Finding(subject, Status.SKIP, evidence)


def failed(subject: str, error: EtltctlError) -> Finding:
    """The look itself failed, which is a finding."""
    return fail(subject, shortened(error.message), error.hint, error.exit_code)


def unseen(subject: str, error: AccessError) -> Finding:
    """Return a finding for a thing that no run needs to see and that the caller may not see."""
    evidence = f"not checked: the caller may not read it: {shortened(error.message)}"
    fix = "no run needs it; to check it, run etltctl doctor as an administrator"
    return Finding(subject, Status.SKIP, evidence, fix)


def shortened(text: str) -> str:
    """The first line, not longer than a terminal bears."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= LONGEST_EVIDENCE else f"{line[:LONGEST_EVIDENCE]}…"


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """0 if nothing failed; else 3 if the settings or what they name is at fault, else 4 if access is, else 1."""
    codes = {finding.code for finding in findings if finding.status is Status.FAIL}
    for code in (ExitCode.CONFIGURATION, ExitCode.ACCESS):
        if code in codes:
            return code
    return ExitCode.FAILED if codes else ExitCode.OK
