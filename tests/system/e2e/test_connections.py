"""Airbyte as code by the installed command: plan, apply, and an empty plan, also after the server has ended."""

from __future__ import annotations

import tomllib

import pytest

from support.sample_settings import on_sample
from support.wire import flaws
from support.workplace import Workplace

pytestmark = pytest.mark.e2e


def test_connections_are_planned_and_applied_and_then_need_no_change(workplace: Workplace) -> None:
    planned = workplace.run("connections", "plan", "--detailed-exitcode", code=10)
    assert "+ connection   pi-m3-mongodb" in planned.stdout
    assert "7 changes, nothing touched." in planned.stdout
    assert workplace.run("connections", "apply", "--dry-run").stdout == planned.stdout
    applied = workplace.run("connections", "apply")
    assert "+ connection    pi-m3-api" in applied.stderr
    assert applied.stdout == "7 changes made: Airbyte is as the settings say.\n"
    again = workplace.run("connections", "plan", "--detailed-exitcode", "-o", "json")
    assert '"changes": []' in again.stdout
    (workplace.folder / "etltctl.toml").write_text(
        on_sample('version = 1\n[sources.api]\nstreams = ["races"]\n')
    )
    refused = workplace.run("connections", "apply", code=5)
    assert "stream results is removed" in refused.stderr
    assert (
        "next: review it with etltctl connections plan, then: etltctl connections apply --yes"
        in refused.stderr
    )
    exported = workplace.run("connections", "export").stdout
    assert {"mongodb", "api"} <= tomllib.loads(exported)["sources"].keys()
    assert flaws(workplace.folder / ".etltctl" / "server" / "witness.jsonl") == set()
