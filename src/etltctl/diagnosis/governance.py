"""Whether Lake Formation, where it governs the lake, lets the pipelines do what they are to do."""

from __future__ import annotations

from collections.abc import Iterator

from etltctl.diagnosis.findings import Finding, fail, ok
from etltctl.diagnosis.probe import Probe
from etltctl.errors import ExitCode
from etltctl.governance import preflight

FIX = "add it to governance.grants, then: etltctl govern apply"


def check_access(probe: Probe) -> Iterator[Finding]:
    """A finding for every permission that a step needs and its principal lacks."""
    if not probe.settings.governance.is_configured:
        yield ok(
            "lake formation", "no governance is configured: every principal that IAM lets in reads all tables"
        )
        return
    found = preflight(probe.settings)
    for finding in found:
        yield fail(finding.resource, str(finding), FIX, ExitCode.ACCESS)
    if not found:
        yield ok("lake formation", "every step's principals have what it needs")
