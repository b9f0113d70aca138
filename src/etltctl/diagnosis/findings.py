"""Findings: the results of checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from etltctl.errors import AccessError, EtltctlError, ExitCode, Hint, NextStep, command

LONGEST_EVIDENCE = 300


class Area(StrEnum):
    """An area that can be checked alone."""

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
    """The result of a check: fine, doubtful, broken, or not checked."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Finding:
    """One thing and its status: what was seen (`evidence`) and what to do about it (`fix`)."""

    subject: str
    status: Status
    evidence: str
    fix: Hint = ""
    code: ExitCode = ExitCode.OK


def ok(subject: str, evidence: str) -> Finding:
    """Return a finding for a thing that is as it should be."""
    return Finding(subject, Status.OK, evidence)


def warn(subject: str, evidence: str, fix: Hint) -> Finding:
    """Return a finding for a thing with which a run works, but not well."""
    return Finding(subject, Status.WARN, evidence, fix)


def fail(subject: str, evidence: str, fix: Hint, code: ExitCode = ExitCode.CONFIGURATION) -> Finding:
    """Return a finding for a thing with which a run fails."""
    return Finding(subject, Status.FAIL, evidence, fix, code)


def skip(subject: str, evidence: str) -> Finding:
    """Return a finding for a thing that was not checked, with the reason."""
    return Finding(subject, Status.SKIP, evidence)


def failed(subject: str, error: EtltctlError) -> Finding:
    """Return a finding for a check that failed itself."""
    return fail(subject, shortened(error.message), error.next_step, error.exit_code)


def unseen(subject: str, error: AccessError) -> Finding:
    """Return a finding for a thing that no run needs to see and that the caller may not see."""
    evidence = f"not checked: the caller may not read it: {shortened(error.message)}"
    fix = NextStep("no run needs it; to check it, run ", command("doctor"), " as an administrator")
    return Finding(subject, Status.SKIP, evidence, fix)


def shortened(text: str) -> str:
    """Return the first line, cut to a length that a terminal can show."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= LONGEST_EVIDENCE else f"{line[:LONGEST_EVIDENCE]}…"


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """Return 0 if nothing failed, 3 if a setting or the thing it names is at fault, 4 if access is, else 1."""
    codes = {finding.code for finding in findings if finding.status is Status.FAIL}
    for code in (ExitCode.CONFIGURATION, ExitCode.ACCESS):
        if code in codes:
            return code
    return ExitCode.FAILED if codes else ExitCode.OK
