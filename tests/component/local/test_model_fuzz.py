"""Every operation that the embedded server claims, with input that its model of botocore does not have.

A call without a required member, with a member of a wrong type or with a text that is too long is refused in the
protocol of its service. It is never answered with a 500, a web page or a success.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from werkzeug.test import Client

from etltctl.local.kernel.keys import Keys
from etltctl.local.server.application import Application

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "embedded-endpoints.md"
SERVICES = {
    "Glue": "glue", "Athena": "athena", "SSM": "ssm", "Lake Formation": "lakeformation", "CloudWatch Logs": "logs",
    "CloudTrail": "cloudtrail",
}  # fmt: skip
WRONG: dict[str, Any] = {
    "string": {"a": 1}, "integer": "x", "long": "x", "double": "x", "float": "x", "boolean": "x", "list": "x",
    "map": ["x"], "structure": ["x"], "timestamp": ["x"], "blob": ["x"],
}  # fmt: skip
Answer = tuple[int, str, str]  # status, content type, content
LONG = 270_000  # more than any text of these models may have


@dataclass(frozen=True)
class Case:
    """One call: what is wrong with it, and its body."""

    wrong: str
    body: dict[str, Any]


def claimed(service: str) -> list[str]:
    """Return the operations that the page lists, which is generated from the code."""
    section = PAGE.read_text().partition("<!-- operations -->")[2].partition("<!-- /operations -->")[0]
    word = next(word for word, name in SERVICES.items() if name == service)
    line = next(line for line in section.splitlines() if line.startswith(f"- {word}: "))
    return re.findall(r"`(\w+)`", line)


def model_of(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def sample(shape: Shape, depth: int = 0) -> Any:
    """Return a value that the model takes."""
    match shape.type_name:
        case "structure":
            names = [*shape.required_members] if depth < 4 else []  # type: ignore[attr-defined]
            return {name: sample(shape.members[name], depth + 1) for name in names}  # type: ignore[attr-defined]
        case "list":
            return [sample(shape.member, depth + 1)] * max(shape.metadata.get("min", 1), 1)  # type: ignore[attr-defined]
        case "map":
            return {}
        case "string":
            least = max(shape.metadata.get("min", 1), 1)
            return shape.enum[0] if getattr(shape, "enum", None) else "a" * least
        case "boolean":
            return True
        case "blob":
            return "YQ=="
    return max(shape.metadata.get("min", 1), 1)


def cases(operation: OperationModel) -> Iterator[Case]:
    """Yield the calls that the service must refuse."""
    shape = operation.input_shape
    if shape is None:
        return
    whole = sample(shape)
    for name in shape.required_members:
        yield Case(f"without {name}", {key: value for key, value in whole.items() if key != name})
    for name, member in shape.members.items():
        yield Case(f"wrong type of {name}", {**whole, name: WRONG[member.type_name]})
        if member.type_name == "string" and member.metadata.get("max", LONG) < LONG:
            yield Case(f"too long {name}", {**whole, name: "a" * LONG})
        if member.type_name == "structure":
            inner = sample(member)
            for part in member.required_members:
                rest = {key: value for key, value in inner.items() if key != part}
                yield Case(f"without {name}.{part}", {**whole, name: rest})
            for part, of_part in member.members.items():
                yield Case(
                    f"wrong type of {name}.{part}",
                    {**whole, name: {**inner, part: WRONG[of_part.type_name]}},
                )


@dataclass(frozen=True)
class Caller:
    """Signed calls of the services of one application, which no witness refuses first."""

    client: Client
    keys: Keys

    def send(self, service: str, path: str, data: bytes, method: str = "POST", **headers: str) -> Answer:
        """Return the answer to a signed request."""
        request = AWSRequest(method, f"http://127.0.0.1{path}", headers, data)
        keys = Credentials(self.keys.access_key_id, self.keys.secret_access_key)
        sign = S3SigV4Auth if service == "s3" else SigV4Auth
        sign(keys, service, "us-east-1").add_auth(request)
        answer = self.client.open(
            path, base_url="http://127.0.0.1", method=method, data=data, headers=dict(request.headers)
        )
        return answer.status_code, answer.headers.get("Content-Type", ""), answer.get_data(as_text=True)

    def call(self, model: ServiceModel, operation: str, body: Any) -> Answer:
        """Return the answer to an operation of a service that speaks JSON."""
        data = json.dumps(body).encode()
        metadata = model.metadata
        name = metadata.get("signingName", metadata["endpointPrefix"])
        if metadata["protocol"] != "json":
            return self.send(name, f"/{operation}", data, **{"Content-Type": "application/json"})
        target = {
            "X-Amz-Target": f"{metadata['targetPrefix']}.{operation}",
            "Content-Type": f"application/x-amz-json-{metadata['jsonVersion']}",
        }
        return self.send(name, "/", data, **target)


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys.make()


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Application]:
    application = Application(tmp_path_factory.mktemp("fuzz") / "state", "http://127.0.0.1", keys)
    yield application
    application.close()


@pytest.fixture(scope="module")
def caller(application: Application, keys: Keys) -> Caller:
    return Caller(Client(application), keys)


def complaint(status: int, kind: str, text: str) -> str:
    """Return what is wrong with a refusal; empty for one that an SDK reads."""
    if not 400 <= status < 500:
        return f"status {status}: {text[:200]}"
    if "json" not in kind:
        return f"content type {kind}"
    answer = json.loads(text)
    return "" if answer.get("__type") and answer.get("message") else f"no code or message: {text[:200]}"


@pytest.mark.parametrize("service", SERVICES.values())
def test_input_that_the_model_does_not_have_is_refused(caller: Caller, service: str) -> None:
    model, wrong, codes = model_of(service), [], set()
    for name in claimed(service):
        for case in cases(model.operation_model(name)):
            status, kind, text = caller.call(model, name, case.body)
            if fault := complaint(status, kind, text):
                wrong.append(f"{name} {case.wrong}: {fault}")
            else:
                codes.add(json.loads(text)["__type"])
    assert wrong == []
    assert "ValidationException" in codes  # the calls got past the signature


@pytest.mark.parametrize("service", SERVICES.values())
def test_an_operation_that_no_model_has_is_refused(caller: Caller, service: str) -> None:
    status, kind, text = caller.call(model_of(service), "MakeCoffee", {})
    assert status in (400, 404, 501)
    assert "json" in kind
    assert json.loads(text)["__type"] in ("NotImplementedException", "UnknownOperationException")


# S3 and STS do not speak JSON: their members are in the path, the query, headers and forms.

S3 = {
    "GET /lake?list-type=2&max-keys=x": 400,
    "GET /lake?max-keys=-1": 400,
    "GET /lake?max-uploads=x&uploads": 400,
    "GET /lake/k?partNumber=x": 404,
    "GET /lake/k?uploadId=none": 404,
    "GET /lake/k?uploadId=none&max-parts=x": 404,
    "PUT /lake/k?partNumber=x&uploadId=none": 404,
    "PUT /lake/k?partNumber=99999&uploadId=none": 404,
    "PUT /lake/k?tagging": 400,
    "PUT /lake/k?acl": 501,
    "PUT /lake/k?nonsense": 501,
    "POST /lake?delete": 400,
    "POST /lake/k?uploadId=none": 404,
    "POST /lake/k?coffee": 501,
    "PUT /no": 400,
    f"PUT /{'a' * 64}": 400,
    f"PUT /lake/{'k' * 1025}": 400,
    "GET /none/k": 404,
    "DELETE /lake?coffee": 501,
    "PATCH /lake/k": 501,
}
STS = {
    "": "NotImplementedException",
    "MakeCoffee": "NotImplementedException",
    "AssumeRole": "ValidationError",
    "AssumeRole&RoleArn=x": "ValidationError",
    "AssumeRole&RoleArn=x&RoleSessionName=y": "ValidationError",
    "AssumeRole&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=y&DurationSeconds=x": "ValidationError",
    f"AssumeRole&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName={'y' * 99}": "ValidationError",
    "GetSessionToken&DurationSeconds=x": "ValidationError",
    "GetSessionToken&DurationSeconds=1": "ValidationError",
}


@pytest.mark.parametrize("call", S3)
def test_s3_refuses_what_its_model_does_not_have(caller: Caller, call: str) -> None:
    caller.send("s3", "/lake", b"", "PUT")
    method, _, path = call.partition(" ")
    status, kind, text = caller.send("s3", path, b"x" if method == "PUT" else b"", method)
    assert (status, kind.partition(";")[0]) == (S3[call], "application/xml"), text
    assert re.search(r"<Error><Code>\w+</Code>", text), text


@pytest.mark.parametrize("call", STS)
def test_sts_refuses_what_its_model_does_not_have(caller: Caller, call: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, kind, text = caller.send("sts", "/", f"Action={call}&Version=2011-06-15".encode(), **form)
    assert 400 <= status < 500 or status == 501, text
    assert "xml" in kind
    code = re.search(r"<Code>(\w+)</Code>", text)
    assert code is not None
    assert code[1] == STS[call], text


@pytest.mark.parametrize("operation", ["CreateStack", "DescribeStacks", "MakeCoffee", ""])
def test_cloudformation_which_no_service_plays_is_refused_in_its_protocol(
    caller: Caller, operation: str
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, kind, text = caller.send("cloudformation", "/", f"Action={operation}".encode(), **form)
    assert (status, "xml" in kind) == (501, True)
    assert "<Code>NotImplementedException</Code>" in text


WHOLE: dict[str, dict[str, Any]] = {
    "/applications/token": {"client_id": "a", "client_secret": "b"},
    "/jobs": {"connectionId": "00000000-0000-4000-8000-000000000000", "jobType": "sync"},
    "/sources": {"name": "s", "workspaceId": "00000000-0000-4000-8000-000000000000", "configuration": {}},
    "/destinations": {
        "name": "d",
        "workspaceId": "00000000-0000-4000-8000-000000000000",
        "configuration": {},
    },
    "/connections": {
        "sourceId": "00000000-0000-4000-8000-000000000000",
        "destinationId": "00000000-0000-4000-8000-000000000000",
    },
}


@pytest.mark.parametrize("path", WHOLE)
@pytest.mark.parametrize("wrong", [None, 5, ["x"], {"a": 1}, "x" * 2000, True])
def test_airbyte_refuses_a_field_that_is_missing_or_of_another_type(
    caller: Caller, application: Application, path: str, wrong: Any
) -> None:
    token = caller.client.post(
        "/airbyte/v1/applications/token", json=dict(application.airbyte_credentials)
    ).json["access_token"]  # type: ignore[index]
    for name in WHOLE[path]:
        rest = {key: value for key, value in WHOLE[path].items() if key != name}
        body = rest if wrong is None else {**rest, name: wrong}
        answer = caller.client.post(
            f"/airbyte/v1{path}", json=body, headers={"Authorization": f"Bearer {token}"}
        )
        text = answer.get_data(as_text=True)
        assert 400 <= answer.status_code < 500, (name, text)
        assert answer.json is not None
        # The endpoint of tokens has another shape of errors than the rest of Airbyte's API.
        assert answer.json.get("status", answer.status_code) == answer.status_code, text
        assert {"detail", "message"} & answer.json.keys(), text
