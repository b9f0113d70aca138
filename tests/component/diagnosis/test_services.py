"""The doctor over the wire, with correct services and with broken ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import boto3
import pytest

from etltctl.diagnosis import Area, Finding, Status, examine, exit_code
from etltctl.errors import ExitCode
from etltctl.settings import Settings, load_settings
from etltctl.testing import EmbeddedLake, Rule, answered, changed, refused

SIMULATED = """<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member>
<EvalActionName>s3:PutObject</EvalActionName><EvalDecision>{decision}</EvalDecision></member></EvaluationResults>
</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"""


def findings_of(lake: EmbeddedLake, area: Area | None = None, **options: object) -> dict[str, Finding]:
    """Return the findings by subject; the lake is reachable already."""
    settings = options.pop("settings", lake.settings)

    def reached() -> AbstractContextManager[Settings]:
        return nullcontext(settings)  # type: ignore[arg-type]

    findings = examine(lambda: settings, reached, area, **options)  # type: ignore[arg-type, return-value]
    return {finding.subject: finding for _, finding in findings}


def test_the_embedded_endpoints_pass_every_check(
    embedded_lake: EmbeddedLake, free_gb: Callable[[float], None]
) -> None:
    free_gb(100)
    findings = findings_of(embedded_lake)
    assert [f for f in findings.values() if f.status in {Status.FAIL, Status.WARN}] == []
    skipped = {f.subject: f.evidence for f in findings.values() if f.status is Status.SKIP}
    reason = "not checked: no IAM policies apply here, so no run needs a permission"
    assert skipped == {"caller": reason, "pi-m3-glue": reason}
    assert "123456789012" in findings_of(embedded_lake, Area.AWS)["caller"].evidence


def test_each_service_is_reported_with_its_url(embedded_lake: EmbeddedLake) -> None:
    url = embedded_lake.environ["AWS_ENDPOINT_URL"]
    findings = findings_of(embedded_lake, Area.AWS)
    assert all(url in findings[service].evidence for service in ("sts", "s3", "glue", "athena", "logs"))
    assert f"{url}/airbyte/v1" in findings_of(embedded_lake, Area.AIRBYTE)["address"].evidence


def test_no_secret_is_shown(embedded_lake: EmbeddedLake) -> None:
    secrets = [embedded_lake.settings.airbyte.client_id, embedded_lake.settings.airbyte.client_secret]
    printed = repr(list(findings_of(embedded_lake).values()))
    assert all(secrets)
    assert [secret for secret in secrets if str(secret) in printed] == []


@pytest.mark.parametrize(
    ("ahead_s", "status"),
    [(0, Status.OK), (120, Status.WARN), (-120, Status.WARN), (400, Status.FAIL), (-400, Status.FAIL)],
)
def test_a_wrong_clock_is_reported(embedded_lake: EmbeddedLake, ahead_s: float, status: Status) -> None:
    findings = findings_of(embedded_lake, Area.AWS, now=lambda: time.time() + ahead_s)
    assert findings["clock"].status is status


@pytest.fixture
def glue(embedded_lake: EmbeddedLake) -> Iterator[object]:
    """Glue, whose jobs are restored after the test."""
    client = boto3.client("glue")
    before = client.get_job(JobName="silver_to_gold")["Job"]
    yield client
    for name in ("CreatedOn", "LastModifiedOn", "AllocatedCapacity", "MaxCapacity"):
        before.pop(name, None)
    client.delete_job(JobName=before["Name"])
    client.create_job(**before)


def test_a_drifted_job_is_reported_with_its_actual_and_expected_values(
    embedded_lake: EmbeddedLake, glue: object
) -> None:
    job = boto3.client("glue").get_job(JobName="silver_to_gold")["Job"]
    kept = {name: job[name] for name in ("Name", "Role", "Command", "DefaultArguments", "GlueVersion")}
    boto3.client("glue").delete_job(JobName="silver_to_gold")
    boto3.client("glue").create_job(**kept, WorkerType="G.2X", NumberOfWorkers=2, Timeout=45, MaxRetries=2)
    settings = embedded_lake.settings
    findings = examine(lambda: settings, lambda: nullcontext(settings), Area.GLUE)
    drifted = [
        f.evidence for _, f in findings if f.subject == "job silver_to_gold" and f.status is Status.WARN
    ]
    assert drifted == [
        "WorkerType is G.2X on the job and should be G.1X",
        "MaxRetries is 2 on the job and should be 0",
    ]
    assert exit_code(finding for _, finding in findings) == ExitCode.OK


def test_a_missing_job_is_a_failure(embedded_lake: EmbeddedLake, glue: object) -> None:
    boto3.client("glue").delete_job(JobName="silver_to_gold")
    findings = findings_of(embedded_lake, Area.GLUE)
    assert findings["job silver_to_gold"].status is Status.FAIL
    assert str(findings["job silver_to_gold"].fix).startswith("etltctl local up")


def test_an_old_script_on_s3_is_reported(embedded_lake: EmbeddedLake) -> None:
    s3 = boto3.client("s3")
    place = {"Bucket": "pi-m3-scripts", "Key": "glue_jobs/bronze_to_silver/bronze_to_silver.py"}
    before = s3.get_object(**place)["Body"].read()
    s3.put_object(**place, Body=before + b"# last year's\n")
    try:
        finding = findings_of(embedded_lake, Area.GLUE)["job bronze_to_silver: script"]
        assert finding.status is Status.WARN
        assert str(finding.fix).startswith("etltctl local up")
    finally:
        s3.put_object(**place, Body=before)


CONNECTION = "GET /connections/*"
CASES: list[tuple[Sequence[Rule], Area, str, Status, str]] = [
    (
        refused("GetCallerIdentity", "AccessDenied", status=403, times=0),
        Area.AWS,
        "caller",
        Status.FAIL,
        "AccessDenied",
    ),
    (
        refused("ListWorkGroups", "AccessDeniedException", times=0),
        Area.AWS,
        "athena",
        Status.OK,
        "answers, but refuses",
    ),
    (
        refused("GetJob", "AccessDeniedException", times=0),
        Area.GLUE,
        "job bronze_to_silver",
        Status.SKIP,
        "not checked: the caller may not read it: glue GetJob",
    ),
    (
        refused("GetDatabase", "EntityNotFoundException"),
        Area.GLUE,
        "database pi_m3_bronze",
        Status.FAIL,
        "no such database",
    ),
    (
        changed("GetWorkGroup", {"BytesScannedCutoffPerQuery": 10**13}),
        Area.ATHENA,
        "workgroup pi-m3: cutoff",
        Status.WARN,
        "10,000.0 GB; athena.max_scan is 20.0 GB",
    ),
    (
        changed("GetWorkGroup", {"BytesScannedCutoffPerQuery": 0}),
        Area.ATHENA,
        "workgroup pi-m3: cutoff",
        Status.WARN,
        "may scan all data",
    ),
    (changed("GetWorkGroup", {"State": "DISABLED"}), Area.ATHENA, "workgroup pi-m3", Status.FAIL, "DISABLED"),
    (
        changed("GetWorkGroup", {"OutputLocation": "s3://else/"}),
        Area.ATHENA,
        "workgroup pi-m3: results",
        Status.WARN,
        "s3://else/",
    ),
    (changed(CONNECTION, {"status": "inactive"}), Area.AIRBYTE, "connection of api", Status.FAIL, "inactive"),
    (
        changed(CONNECTION, {"status": "locked", "statusReason": "billing"}),
        Area.AIRBYTE,
        "connection of api",
        Status.FAIL,
        "locked",
    ),
    (
        changed(CONNECTION, {"schedule": {"scheduleType": "cron"}}),
        Area.AIRBYTE,
        "connection of api",
        Status.WARN,
        "cron",
    ),
    (
        answered(CONNECTION, {"title": "resource-not-found"}, status=404, times=0),
        Area.AIRBYTE,
        "connection of api",
        Status.FAIL,
        "404",
    ),
    (
        changed("GET /destinations/*", {"s3_bucket_name": "elsewhere"}),
        Area.AIRBYTE,
        "connection of api: writes",
        Status.FAIL,
        "s3://elsewhere",
    ),
    (
        changed("GET /destinations/*", {"format_type": "CSV"}),
        Area.AIRBYTE,
        "connection of api: writes",
        Status.FAIL,
        "CSV",
    ),
    (answered("GET /health", {}, status=503), Area.AIRBYTE, "address", Status.FAIL, "HTTP 503"),
    (
        answered("POST /applications/token", {}, status=401, times=0),
        Area.AIRBYTE,
        "api",
        Status.FAIL,
        "refused the client id",
    ),
    (
        answered("SimulatePrincipalPolicy", SIMULATED.format(decision="implicitDeny"), times=0),
        Area.PERMISSIONS,
        "pi-m3-glue: writes",
        Status.FAIL,
        "s3:PutObject",
    ),
    (
        answered("SimulatePrincipalPolicy", SIMULATED.format(decision="allowed"), times=0),
        Area.PERMISSIONS,
        "caller: query results",
        Status.OK,
        "may s3:GetObject",
    ),
    (
        refused("SimulatePrincipalPolicy", "AccessDenied", status=403, times=0),
        Area.PERMISSIONS,
        "caller: jobs",
        Status.WARN,
        "AccessDenied",
    ),
]


@pytest.mark.parametrize(
    ("script", "area", "subject", "status", "says"), CASES, ids=[f"{c[2]}-{c[4][:20]}" for c in CASES]
)
def test_every_problem_is_named_with_its_evidence(
    embedded_lake: EmbeddedLake, script: Sequence[Rule], area: Area, subject: str, status: Status, says: str
) -> None:
    embedded_lake.script(script)
    finding = findings_of(embedded_lake, area)[subject]
    assert finding.status is status, finding
    assert says in finding.evidence
    assert str(finding.fix) or status is Status.OK


def test_a_missing_bucket_and_a_missing_role_are_failures(embedded_lake: EmbeddedLake) -> None:
    broken_flags = {"lake.gold": "s3://no-such-bucket", "glue.jobs.silver_to_gold.role": "Missing"}
    settings = load_settings(env="local", flags={**broken_flags, "state": str(embedded_lake.folder)})
    assert findings_of(embedded_lake, Area.BUCKETS, settings=settings)["no-such-bucket"].status is Status.FAIL
    assert (
        findings_of(embedded_lake, Area.PERMISSIONS, settings=settings)["role Missing"].status is Status.FAIL
    )


def test_an_address_without_a_server_is_reported(
    embedded_lake: EmbeddedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", "http://127.0.0.1:9")
    settings = embedded_lake.settings.model_copy(
        update={"airbyte": embedded_lake.settings.airbyte.model_copy(update={"url": "http://127.0.0.1:9"})}
    )
    athena = findings_of(embedded_lake, Area.AWS, settings=settings)["athena"]
    assert athena.status is Status.FAIL
    assert "http://127.0.0.1:9" in athena.evidence
    address = findings_of(embedded_lake, Area.AIRBYTE, settings=settings)["address"]
    assert "http://127.0.0.1:9/v1" in address.evidence


def test_a_secret_in_the_settings_file_is_reported_and_not_printed(
    embedded_lake: EmbeddedLake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("project")
    (folder / "etltctl.toml").write_text(
        '[airbyte]\nclient_id = "env:NOT_THERE"\nclient_secret = "tops3cret"\n'
    )
    settings = load_settings(env="local", environ={}, directory=folder)
    findings = findings_of(embedded_lake, Area.SETTINGS, settings=settings)
    assert findings["airbyte.client_secret"].status is Status.WARN
    assert findings["airbyte.client_id"].status is Status.FAIL
    assert "NOT_THERE" in findings["airbyte.client_id"].evidence
    assert "tops3cret" not in repr(findings)
