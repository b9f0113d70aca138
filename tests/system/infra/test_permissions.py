"""The operator's policy: it allows exactly the calls of the commands, each on its buckets."""

from __future__ import annotations

import io
import json
import signal
from contextlib import suppress
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etltctl.athena import Athena
from etltctl.aws import Aws
from etltctl.catalog import STAGING, Catalog, Partitions, Table
from etltctl.errors import AccessError, ServiceError
from etltctl.infrastructure.calls import GOVERNED
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import operator_statements
from etltctl.permissions import OPERATOR
from etltctl.s3 import S3
from support.checkout import Checkout, recorded
from support.forked import Command
from support.governed import require_step_access
from support.served import wait_until
from support.wire import ELSEWHERE, NEEDS_NO_PERMISSION, SPECIAL, Call, calls, granting
from support.workplace import ETLTCTL

LARGEST = 5 * 1024**2  # bytes; the smallest part that S3 takes
SECRET = "lake1/airbyte"
TABLE = Table("special", "t", "s3://lake1-bronze/t/", {"n": "bigint"}, {"day": "string"})


def test_every_call_of_the_special_cases_is_in_the_operator_s_policy(deployed: Checkout) -> None:
    """The cases: partitions that are added, moved and removed; a version that is audited; a version that is retired; a
    query whose start was never answered; large files that are copied.
    """
    aws = Aws(region="us-east-1")
    catalog, partitions, s3 = Catalog(aws), Partitions(aws, TABLE), S3(aws)
    with recorded() as recorded_calls:
        catalog.ensure_database("special")
        catalog.put(TABLE, None)
        s3.write("s3://lake1-bronze/t/day=1/part-0", b"1")
        partitions.put({("1",): "s3://lake1-bronze/t/day=1/"})
        partitions.put({("1",): "s3://lake1-bronze/t/moved/", ("2",): "s3://lake1-bronze/t/day=2/"})
        partitions.put({})
        catalog.unstage("special", f"{STAGING}t")
        assert s3.delete_folder("s3://lake1-bronze/t/day=1/") == 1
        _copy_a_large_file(s3)
        Athena(aws, "primary").newest_of("select 1")
    allowed = {name for names in OPERATOR.values() for name in names}
    assert SPECIAL <= recorded_calls <= allowed


def _copy_a_large_file(s3: S3) -> None:
    """Copy a file in parts, and begin a copy of one that is replaced meanwhile."""
    origin = "s3://lake1-bronze/t/large"
    s3.write(origin, bytes(LARGEST + 1))
    (large,) = s3.objects(origin)
    s3.copy(large, "s3://lake1-bronze/t/copy", largest=LARGEST)
    events = s3.aws.client("s3").meta.events
    events.register_first(
        "before-call.s3.UploadPartCopy", lambda **_: s3.write(origin, b"another"), "replace"
    )
    with pytest.raises(ServiceError):
        s3.copy(large, "s3://lake1-bronze/t/copy", largest=LARGEST)
    events.unregister("before-call.s3.UploadPartCopy", unique_id="replace")


def test_the_operator_of_a_governed_lake_may_check_whether_a_step_can_run(deployed: Checkout) -> None:
    zones = {"trusted": {"layers": ["silver"]}, "curated": {"layers": ["gold"], "hybrid": True}}
    settings = deployed.settings(governance__zones=zones)
    # Nothing is granted yet, so every permission is checked.
    with recorded() as recorded_calls, suppress(AccessError):
        require_step_access(settings, "glue:silver_to_gold")
    allowed = {name for names in OPERATOR.values() for name in names}
    everybody_may = {"sts:GetCallerIdentity"}
    governed = {call for call in recorded_calls if call.startswith("lakeformation:")}
    assert {"lakeformation:ListPermissions", "lakeformation:GetDataLakeSettings"} <= governed <= set(GOVERNED)
    assert recorded_calls - governed - everybody_may <= allowed
    statements = {s["Sid"]: s for s in operator_statements(Names(settings))}
    assert set(statements["Governance"]["Action"]) == set(GOVERNED)


@pytest.fixture(scope="module")
def operator_calls(deployed: Checkout) -> set[Call]:
    """Return every call of runs that succeed, fail and are cancelled, of queries and a rollback, with state in S3.

    No Spark runs. The script does not exist, which a run detects only when it starts, and the files that it would have
    written exist already.
    """
    _remove_the_script(deployed)
    run = partial(deployed.run, **deployed.operator)
    deployed.spoil({"call": "GetJobRun*", "change": {"JobRunState": "SUCCEEDED"}, "times": 0})
    # The environment is protected, so every command that changes it needs --yes here.
    for version in ("first", "second"):
        _write(deployed, version)
        run("run-glue", "small", "--wait", "--run-id", version, "--yes")
    run("runs", "logs", "second")
    run("athena", "query", "select count(*) as n from lake1_gold.small")
    run("athena", "describe", "gold.small")
    run("athena", "tables")
    run("rollback", "gold.small", "--yes")
    deployed.spoil()
    run("run-glue", "small", "--wait", "--run-id", "failing", "--yes", code=1)
    deployed.spoil({"call": "GetJobRun*", "change": {"JobRunState": "RUNNING"}, "times": 0})
    run("run-glue", "small", "--run-id", "stopped", "--yes")
    run("runs", "cancel", "stopped", "--yes", code=1)  # it has ended long ago
    deployed.spoil()
    _look_up_secrets(deployed)
    _interrupt_a_query(deployed)
    assert deployed.account is not None
    seen = deployed.account.state / "server" / "witness.jsonl"
    return {
        call
        for call in calls(seen, deployed.operator["AWS_ACCESS_KEY_ID"])
        if call.name not in NEEDS_NO_PERMISSION
    }


def test_no_call_is_missing_from_the_operator_s_policy_and_none_is_extra(operator_calls: set[Call]) -> None:
    allowed = {name for names in OPERATOR.values() for name in names}
    called = {call.name for call in operator_calls}
    assert called - allowed == set(), "add these to etltctl/infrastructure/calls.py"
    assert allowed - called == (SPECIAL | ELSEWHERE) - called, (
        "remove these from etltctl/infrastructure/calls.py"
    )


def test_only_objects_of_the_lake_and_of_the_state_bucket_are_touched(operator_calls: set[Call]) -> None:
    """Scripts are listed, because an incremental job reads everything after its code has changed."""
    touched: dict[str, set[str]] = {}
    for call in operator_calls:
        touched.setdefault(call.bucket, set()).add(call.name)
    assert touched.pop("lake1-scripts") == {"s3:ListObjectsV2"}
    assert {"lake1-gold", "lake1-state"} <= set(touched)
    assert set(touched) <= {"", "lake1-bronze", "lake1-silver", "lake1-gold", "lake1-state"}


def test_the_deployed_policy_allows_every_call_on_the_object_that_it_used(
    deployed: Checkout, operator_calls: set[Call]
) -> None:
    policy = _deployed_policy(deployed)
    refused = {f"{call.action} {call.arn}" for call in operator_calls if not granting(policy, call)}
    assert refused == set(), "add these to etltctl/infrastructure/roles.py"


def test_every_statement_about_the_lake_or_the_state_is_used(
    deployed: Checkout, operator_calls: set[Call]
) -> None:
    """Statements for etltctl's calls count; the first test makes the calls of the special cases."""
    policy = _deployed_policy(deployed)
    special = {Call(name, "lake1-gold/t/day=1/part-0" if name.startswith("s3:") else "") for name in SPECIAL}
    used = {(sid, call.action) for call in operator_calls | special for sid in granting(policy, call)}
    own = ("Jobs", "Catalog", "Queries", "Logs", "LakeBuckets", "LakeObjects", "StateBuckets", "StateObjects")
    granted = {(each["Sid"], action) for each in policy if each["Sid"] in own for action in each["Action"]}
    assert granted - used == set(), "remove these from etltctl/infrastructure/calls.py"


def _deployed_policy(checkout: Checkout) -> list[dict[str, Any]]:
    """Return the statements of the operator's role as the stack created it, with every name filled in."""
    iam = checkout.client("iam")
    (name,) = iam.list_role_policies(RoleName="lake1-operator")["PolicyNames"]
    statements = iam.get_role_policy(RoleName="lake1-operator", PolicyName=name)["PolicyDocument"][
        "Statement"
    ]
    return [dict(statement) for statement in statements]


def _remove_the_script(checkout: Checkout) -> None:
    location = checkout.client("glue").get_job(JobName="small")["Job"]["Command"]["ScriptLocation"]
    bucket, _, key = location.removeprefix("s3://").partition("/")
    checkout.client("s3").delete_object(Bucket=bucket, Key=key)


def _write(checkout: Checkout, version: str) -> None:
    """Write the files of the script: five rows and their audit."""
    file, folder = io.BytesIO(), f"small/v={version}"
    pq.write_table(pa.table({"n": list(range(5))}), file)
    s3 = checkout.client("s3")
    s3.put_object(Bucket="lake1-gold", Key=f"{folder}/part-0.parquet", Body=file.getvalue())
    audit = json.dumps({"rows_in": 5, "rows_out": 5})
    s3.put_object(Bucket="lake1-gold", Key=f"{folder}/_audit/part-0.txt", Body=audit.encode())


def _look_up_secrets(checkout: Checkout) -> None:
    """Read the secrets as a sync does before it passes them to Airbyte."""
    checkout.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString='{"client_id": "me"}')
    checkout.client("ssm").put_parameter(Name="/lake1/airbyte/secret", Type="SecureString", Value="hush")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in checkout.operator.items():
            environment.setenv(name, value)
        aws = Aws(region="us-east-1")
        assert aws.fetch_secret(f"secretsmanager:{SECRET}#client_id") == "me"
        assert aws.fetch_secret("ssm:/lake1/airbyte/secret") == "hush"


def _interrupt_a_query(checkout: Checkout) -> None:
    checkout.spoil({"call": "GetQueryExecution", "change": {"State": "RUNNING"}, "times": 0})
    words = [ETLTCTL, "athena", "query", "select 1 as one"]
    process = Command(words, cwd=checkout.folder, env=checkout.full_environ | checkout.operator)
    assert checkout.account is not None
    account = checkout.account
    wait_until(lambda: account.request("GET", "faults")[1][0]["met"] > 2, 60)  # it is waited for
    process.send_signal(signal.SIGINT)
    process.wait(60)
    checkout.spoil()
