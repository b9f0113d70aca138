"""Every action of the operator's policy, denied in turn: the error names principal, action, resource and step."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.awsrequest import AWSResponse

from etltctl.aws import Aws
from etltctl.denials import PERMISSION
from etltctl.errors import AccessError
from etltctl.permissions import OPERATOR
from etltctl.pipeline import RunOptions, Step, run_alone
from support.checkout import Checkout

PRINCIPAL = "arn:aws:sts::123456789012:assumed-role/lake1-operator/i-1"
CALLER = "arn:aws:iam::123456789012:user/etltctl"
STEP = Step.parse("glue:small")
START = "glue:StartJobRun"
CHECKED = {"tables": {"gold.small": {"keys": ["n"]}}}  # so that Athena is called
# A refusal of these fails no run: a later audit removes leftover files, an old lock expires, and Athena gets
# the location of the settings if its workgroup cannot be read.
TOLERATED = {"athena:GetWorkGroup", "glue:DeleteTable", "glue:GetTables", "s3:DeleteObject"}


class Body(io.BytesIO):
    """An answer's body as urllib3 gives it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@dataclass
class Caller:
    """The library's calls in order; the calls of one operation are refused as IAM refuses them."""

    refused: str = ""
    calls: list[str] = field(default_factory=list)

    def answer(self, service: str, request: Any, event_name: str) -> AWSResponse | None:
        """Record the call; return a refusal if it is the denied operation."""
        call = f"{service}:{event_name.rpartition('.')[2]}"
        self.calls.append(call)
        if call != self.refused:
            return None
        action = PERMISSION.get(call, call)
        if service == "s3":  # it names no resource
            text = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        else:
            words = (
                f"User: {PRINCIPAL} is not authorized to perform: {action} on resource: arn:aws:{service}:us-east-1:"
                f"123456789012:it because no identity-based policy allows the {action} action"
            )
            text = json.dumps({"__type": "AccessDeniedException", "Message": words})
        headers = {"x-amzn-requestid": "1", "x-amz-request-id": "1"}
        return AWSResponse(request.url, 403 if service == "s3" else 400, headers, Body(text.encode()))


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """Make every client that is created within the block report its calls to `caller`."""
    client_of = Aws._client

    def watched(self: Aws, service: str, use: Any) -> Any:
        client = client_of(self, service, use)
        client.meta.events.register_first(
            "before-send",
            lambda request, event_name, **_: caller.answer(service, request, event_name),
            "refusing",
        )
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Aws, "_client", watched)
        yield


def _run(checkout: Checkout, name: str, caller: Caller) -> AccessError | None:
    """Run the step with an existing version; return why it was refused."""
    body, folder = io.BytesIO(), f"small/v={name}"
    pq.write_table(pa.table({"n": [1, 2]}), body)
    s3 = checkout.client("s3")
    s3.put_object(Bucket="lake1-gold", Key=f"{folder}/part-0.parquet", Body=body.getvalue())
    with calling(caller):
        try:
            run_alone(STEP, checkout.settings(**CHECKED), RunOptions(run_id=name))
        except AccessError as error:
            return error
    return None


@pytest.fixture(scope="module")
def ready(deployed: Checkout) -> Iterator[Checkout]:
    """Yield the deployed checkout. Its job succeeds at once: no Spark runs, because its script does not exist."""
    location = deployed.client("glue").get_job(JobName="small")["Job"]["Command"]["ScriptLocation"]
    bucket, _, key = location.removeprefix("s3://").partition("/")
    deployed.client("s3").delete_object(Bucket=bucket, Key=key)
    deployed.spoil({"call": "GetJobRun*", "change": {"JobRunState": "SUCCEEDED"}, "times": 0})
    yield deployed
    deployed.spoil()
    # The other runs start without it.
    deployed.client("glue").delete_table(DatabaseName="lake1_gold", Name="small")


def test_every_action_that_a_run_uses_is_named_when_it_is_refused_with_principal_resource_and_step(
    ready: Checkout,
) -> None:
    complete = Caller()
    assert _run(ready, "complete", complete) is None
    of_operator = {call for calls in OPERATOR.values() for call in calls}
    used = list(dict.fromkeys(call for call in complete.calls if call in of_operator))
    assert {START, "glue:CreateTable", "s3:ListObjectsV2", "athena:StartQueryExecution"} <= set(used)
    assert {"glue:GetTable", "glue:GetJobRuns", "s3:ListObjectsV2"} <= set(used[: used.index(START)])
    tolerated = set()
    for number, call in enumerate(used):
        caller = Caller(refused=call)
        error = _run(ready, f"refused-{number}", caller)
        if error is None:
            tolerated.add(call)
            continue
        assert error.facts["step"] == str(STEP), call
        assert error.facts["action"] == PERMISSION.get(call, call)
        assert error.facts["principal"] == (CALLER if call.startswith("s3:") else PRINCIPAL), call
        assert error.facts["resource"], call
        assert error.facts["action"] in error.hint
        if used.index(call) < used.index(START):
            assert START not in caller.calls, call
    assert tolerated == TOLERATED
