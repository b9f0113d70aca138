"""The check of Lake Formation: whether it allows the pipelines what their steps need."""

from __future__ import annotations

from collections.abc import Iterator

from etltctl.diagnosis.findings import Finding, fail, ok
from etltctl.diagnosis.probe import Probe
from etltctl.errors import ExitCode, NextStep, command
from etltctl.governance import missing_permissions
from etltctl.pipeline import changes_of_pipelines

FIX = NextStep("add it to governance.grants, then: ", command("govern", "apply"))


def check_access(probe: Probe) -> Iterator[Finding]:
    """Yield a finding for every permission that a step needs and its principal lacks."""
    if not probe.settings.governance.is_configured:
        yield ok(
            "lake formation", "no governance is configured: every principal that IAM lets in reads all tables"
        )
        return
    # Of all pipelines: the doctor is asked before it is known which of them will run.
    changes = changes_of_pipelines(probe.settings)
    missing = missing_permissions(changes, probe.settings, probe.aws, probe.caller)
    for permission in missing:
        yield fail(permission.resource, str(permission), FIX, ExitCode.ACCESS)
    if not missing:
        yield ok("lake formation", "the principals of every step have the permissions that they need")
