"""The doctor needs nothing of what it looks at: no settings, no services, no check that works."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from etltctl.cli.doctor import AreaName
from etltctl.diagnosis import Area, Finding, Status, examine, exit_code
from etltctl.diagnosis.examination import Check
from etltctl.diagnosis.jobs import drift
from etltctl.diagnosis.machine import check_disk
from etltctl.diagnosis.probe import Probe
from etltctl.errors import AccessError, ConfigurationError, ExitCode, NextStep, UnreachableError
from etltctl.settings import Settings, load_settings
from etltctl.settings.services import GlueJob


def defaults(**flags: object) -> Settings:
    return load_settings(env="local", environ={}, directory=Path("/"), flags=flags)


@contextmanager
def nothing_within_reach() -> Iterator[Settings]:
    raise UnreachableError("the cable is out", hint="put it in")
    yield


def test_settings_that_cannot_be_read_are_told_with_every_problem_and_the_rest_is_not_looked_at() -> None:
    def load() -> Settings:
        raise ConfigurationError("2 problems", problems=("etltctl.toml:1:1: one", "etltctl.toml:2:1: two"))

    found = examine(load, nothing_within_reach)
    failed = [finding.evidence for _, finding in found if finding.status is Status.FAIL]
    assert failed == ["etltctl.toml:1:1: one", "etltctl.toml:2:1: two"]
    assert {area for area, finding in found if finding.status is Status.SKIP} >= {Area.GLUE, Area.AIRBYTE}
    assert exit_code(finding for _, finding in found) == ExitCode.CONFIGURATION


def test_services_out_of_reach_are_a_finding_and_this_machine_is_looked_at_all_the_same(
    tmp_path: Path,
) -> None:
    found = examine(lambda: defaults(state=str(tmp_path)), nothing_within_reach)
    by_subject = {finding.subject: finding for _, finding in found}
    assert by_subject["embedded server"].evidence == "the cable is out"
    assert by_subject["embedded server"].fix == NextStep("put it in")
    assert by_subject["java"].status is Status.OK
    assert by_subject["jobs, databases, published files"].status is Status.SKIP
    assert exit_code(finding for _, finding in found) == ExitCode.FAILED


@pytest.mark.parametrize(("free", "status"), [(50, Status.OK), (4.7, Status.WARN), (0.3, Status.FAIL)])
def test_a_disk_that_fills_is_told_before_a_run_fills_it(
    tmp_path: Path, free_gb: Callable[[float], None], free: float, status: Status
) -> None:
    free_gb(free)
    (found,) = check_disk(Probe(defaults(state=str(tmp_path / "not yet"))))
    assert (found.subject, found.status) == ("disk", status)
    assert f"{free} GB free at {tmp_path / 'not yet'}" in found.evidence.replace(".0 GB", " GB")
    assert ("ETLTCTL_STATE_DIR" in str(found.fix)) is (status is not Status.OK)


def test_a_check_that_breaks_off_keeps_what_it_found_and_says_that_it_broke_off() -> None:
    def broken(probe: Probe) -> Iterator[Finding]:
        yield Finding("first", Status.OK, "well")
        raise ZeroDivisionError("oh")

    found = Check(Area.GLUE, "jobs", broken).run(Probe(defaults()))
    assert [(finding.subject, finding.status) for _, finding in found] == [
        ("first", Status.OK),
        ("jobs", Status.FAIL),
    ]
    assert "ZeroDivisionError: oh" in found[1][1].evidence


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
def test_the_exit_code_is_the_one_of_what_the_rest_depends_on(codes: list[ExitCode], worst: ExitCode) -> None:
    findings = [Finding("x", Status.FAIL, "", code=code) for code in codes]
    assert exit_code([*findings, Finding("y", Status.WARN, ""), Finding("z", Status.SKIP, "")]) == worst


def test_a_job_that_is_as_the_settings_say_has_not_drifted() -> None:
    job = GlueJob(script="x.py", role="R")
    theirs = {
        "Role": "arn:aws:iam::1:role/R", "GlueVersion": "5.1", "WorkerType": "G.1X", "NumberOfWorkers": 2,
        "Timeout": 45, "MaxRetries": 0, "ExecutionProperty": {"MaxConcurrentRuns": 1},
    }  # fmt: skip
    assert drift(theirs, job) == []
    spoilt = {**theirs, "Timeout": 2880, "MaxRetries": 1, "ExecutionProperty": {"MaxConcurrentRuns": 3}}
    assert [(what, is_, should) for what, is_, should, _ in drift(spoilt, job)] == [
        ("Timeout", 2880, 45),
        ("MaxRetries", 1, 0),
        ("MaxConcurrentRuns", 3, 1),
    ]


def test_without_credentials_one_failure_says_so_and_the_rest_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    settings = load_settings(env="aws", environ={}, directory=Path("/"))
    found = examine(lambda: settings, lambda: nullcontext(settings), Area.GLUE)
    assert [(finding.subject, finding.status) for _, finding in found] == [
        ("caller", Status.FAIL),
        ("jobs, databases, published files", Status.SKIP),
    ]
    assert "pi-m3" in found[0][1].evidence
    assert exit_code(finding for _, finding in found) == ExitCode.CONFIGURATION


def test_the_command_line_knows_every_area() -> None:
    assert [str(name) for name in AreaName] == [str(area) for area in Area]


def test_the_command_tells_broken_settings_and_exits_3(tmp_path: Path) -> None:
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
        (tmp_path / "etltctl.toml").write_text(f"[local]\nport = {port}\n")
        done = subprocess.run(
            [sys.executable, "-m", "etltctl", "doctor", "local"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == ExitCode.CONFIGURATION
    assert f"port {port} of 127.0.0.1 is another program's" in done.stdout
