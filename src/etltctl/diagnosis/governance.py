"""The check of Lake Formation: whether it allows the pipelines what their steps need."""

from __future__ import annotations

from collections.abc import Iterator

from etltctl.diagnosis.findings import Finding, fail, ok
from etltctl.diagnosis.probe import Probe
from etltctl.errors import ExitCode, NextStep, command
from etltctl.governance import preflight

FIX = NextStep("add it to governance.grants, then: ", command("govern", "apply"))


def check_access(probe: Probe) -> Iterator[Finding]:
    """Yield a finding for every permission that a step needs and its principal lacks."""
    if not probe.settings.governance.is_configured:
        yield ok(
            "lake formation", "no governance is configured: every principal that IAM lets in reads all tables"
        )
        return
    findings = preflight(probe.settings)
    for finding in findings:
        yield fail(finding.resource, str(finding), FIX, ExitCode.ACCESS)
    if not findings:
        yield ok("lake formation", "every step's principals have what it needs")
