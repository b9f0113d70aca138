"""The doctor depends on nothing that it checks: no settings, no services, no working check."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from etltctl.cli.project import AreaName
from etltctl.diagnosis import Area, Finding, Status, examine, exit_code
from etltctl.diagnosis.examination import Check
from etltctl.diagnosis.jobs import drift
from etltctl.diagnosis.machine import check_disk
from etltctl.diagnosis.probe import Probe
from etltctl.errors import AccessError, ConfigurationError, ExitCode, NextStep, UnreachableError
from etltctl.settings import Settings, load_settings
from etltctl.settings.services import GlueJob
from support.sample_settings import on_sample


def defaults(**flags: object) -> Settings:
    return load_settings(env="local", environ={}, directory=Path("/"), flags=flags)


@contextmanager
def nothing_within_reach() -> Iterator[Settings]:
    raise UnreachableError("the cable is out", hint="put it in")
    yield


def test_unreadable_settings_are_reported_with_every_problem_and_no_further_check_runs() -> None:
    def load() -> Settings:
        raise ConfigurationError("2 problems", problems=("etltctl.toml:1:1: one", "etltctl.toml:2:1: two"))

    findings = examine(load, nothing_within_reach)
    failed = [finding.evidence for _, finding in findings if finding.status is Status.FAIL]
    assert failed == ["etltctl.toml:1:1: one", "etltctl.toml:2:1: two"]
    assert {area for area, finding in findings if finding.status is Status.SKIP} >= {Area.GLUE, Area.AIRBYTE}
    assert exit_code(finding for _, finding in findings) == ExitCode.CONFIGURATION


def test_unreachable_services_are_a_finding_and_this_machine_is_still_checked(
    tmp_path: Path,
) -> None:
    findings = examine(lambda: defaults(state=str(tmp_path)), nothing_within_reach)
    by_subject = {finding.subject: finding for _, finding in findings}
    assert by_subject["embedded server"].evidence == "the cable is out"
    assert by_subject["embedded server"].fix == NextStep("put it in")
    assert by_subject["java"].status is Status.OK
    assert by_subject["jobs, databases, published files"].status is Status.SKIP
    assert exit_code(finding for _, finding in findings) == ExitCode.FAILED


@pytest.mark.parametrize(("free", "status"), [(50, Status.OK), (4.7, Status.WARN), (0.3, Status.FAIL)])
def test_a_nearly_full_disk_is_reported_before_a_run_fills_it(
    tmp_path: Path, free_gb: Callable[[float], None], free: float, status: Status
) -> None:
    free_gb(free)
    (finding,) = check_disk(Probe(defaults(state=str(tmp_path / "not yet"))))
    assert (finding.subject, finding.status) == ("disk", status)
    assert f"{free} GB free at {tmp_path / 'not yet'}" in finding.evidence.replace(".0 GB", " GB")
    assert ("ETLTCTL_STATE_DIR" in str(finding.fix)) is (status is not Status.OK)


def test_a_check_that_crashes_keeps_its_findings_and_reports_the_crash() -> None:
    def broken(probe: Probe) -> Iterator[Finding]:
        yield Finding("first", Status.OK, "well")
        raise ZeroDivisionError("oh")

    findings = Check(Area.GLUE, "jobs", broken).run(Probe(defaults()))
    assert [(finding.subject, finding.status) for _, finding in findings] == [
        ("first", Status.OK),
        ("jobs", Status.FAIL),
    ]
    assert "ZeroDivisionError: oh" in findings[1][1].evidence


def test_a_check_that_is_refused_fails_with_the_code_of_its_error() -> None:
    def refused(probe: Probe) -> Iterator[Finding]:
        raise AccessError("not you", hint="ask them")
        yield

    [(_, finding)] = Check(Area.AWS, "caller", refused).run(Probe(defaults()))
    assert (finding.status, finding.code, str(finding.fix)) == (Status.FAIL, ExitCode.ACCESS, "ask them")


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ([], ExitCode.OK),
        ([ExitCode.FAILED], ExitCode.FAILED),
        ([ExitCode.FAILED, ExitCode.ACCESS], ExitCode.ACCESS),
        ([ExitCode.ACCESS, ExitCode.CONFIGURATION, ExitCode.FAILED], ExitCode.CONFIGURATION),
    ],
)
def test_the_exit_code_is_that_of_the_most_basic_failure(codes: list[ExitCode], worst: ExitCode) -> None:
    findings = [Finding("x", Status.FAIL, "", code=code) for code in codes]
    assert exit_code([*findings, Finding("y", Status.WARN, ""), Finding("z", Status.SKIP, "")]) == worst


def test_a_job_that_matches_the_settings_has_not_drifted() -> None:
    job = GlueJob(script="x.py", role="R")
    deployed = {
        "Role": "arn:aws:iam::1:role/R", "GlueVersion": "5.1", "WorkerType": "G.1X", "NumberOfWorkers": 2,
        "Timeout": 45, "MaxRetries": 0, "ExecutionProperty": {"MaxConcurrentRuns": 1},
    }  # fmt: skip
    assert drift(deployed, job) == []
    drifted = {**deployed, "Timeout": 2880, "MaxRetries": 1, "ExecutionProperty": {"MaxConcurrentRuns": 3}}
    assert [(what, is_, should) for what, is_, should, _ in drift(drifted, job)] == [
        ("Timeout", 2880, 45),
        ("MaxRetries", 1, 0),
        ("MaxConcurrentRuns", 3, 1),
    ]


def test_missing_credentials_are_one_failure_and_no_further_check_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    settings = load_settings(env="aws", environ={}, directory=Path("/"))
    findings = examine(lambda: settings, lambda: nullcontext(settings), Area.GLUE)
    assert [(finding.subject, finding.status) for _, finding in findings] == [
        ("caller", Status.FAIL),
        ("jobs, databases, published files", Status.SKIP),
    ]
    assert "pi-m3" in findings[0][1].evidence
    assert exit_code(finding for _, finding in findings) == ExitCode.CONFIGURATION


def test_the_command_line_knows_every_area() -> None:
    assert [str(name) for name in AreaName] == [str(area) for area in Area]


def test_the_command_reports_broken_settings_and_exits_3(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text("[lakes]\nbronze = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "etltctl", "doctor", "settings", "-o", "json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.CONFIGURATION, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert rows[0]["status"] == "fail"
    assert "etltctl.toml:1:2" in rows[0]["evidence"]
    assert "config validate" in rows[0]["fix"]


def test_the_command_finds_a_taken_port(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "etltctl.toml").write_text(on_sample(f"[local]\nport = {port}\n"))
        done = subprocess.run(
            [sys.executable, "-m", "etltctl", "doctor", "local"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == ExitCode.CONFIGURATION
    assert f"port {port} of 127.0.0.1 is used by another program" in done.stdout
