"""Every operation of S3's own model: answered as itself, or refused without touching data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from werkzeug.serving import make_server

from etltctl.local.kernel.keys import Keys
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.operations import OPERATIONS
from etltctl.local.services.s3.service import S3Api
from support.served import make_client

MODEL = ServiceModel(Loader().load_service_model("s3", "service-2"), "s3")
MODELLED = {operation.name for operation in OPERATIONS}
# Their requests are byte for byte those of another operation; S3 distinguishes them by host or not at all.
SAME_REQUEST = {
    "ListDirectoryBuckets": "ListBuckets",
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
}
NAMED = {"Bucket": "lake", "Key": "k", "CopySource": "lake/k", "RenameSource": "lake/k"}


class Account:
    """One server with two buckets and their content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        directory = S3Directory(folder / "s3", folder / "s3-meta")
        for bucket in ("lake", "empty"):
            directory.create_bucket(bucket)
        directory.put_object("lake", "k", b"the only copy", metadata={"m": "1"})
        self.server = make_server("127.0.0.1", 0, S3Api(directory), threaded=True)
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.client = make_client(
            "s3",
            self.server.server_port,
            Keys.make(),
            parameter_validation=False,
            inject_host_prefix=False,
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 2},
        )

    def data(self) -> dict[str, bytes]:
        """Return the content of every file."""
        return {str(file): file.read_bytes() for file in self.folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    account = Account(tmp_path_factory.mktemp("account"))
    yield account
    account.server.shutdown()


def value_of(shape: Any, name: str, bucket: str) -> Any:
    """Return a small value of a shape, with required members only."""
    if name in NAMED:
        return bucket if name == "Bucket" else NAMED[name]
    if shape.type_name == "structure":
        members = list(shape.members)[:1] if shape.is_tagged_union else shape.required_members
        return {each: value_of(shape.members[each], each, bucket) for each in members}
    if shape.type_name == "list":
        return [value_of(shape.member, "", bucket)]
    values = {
        "integer": 1,
        "long": 1,
        "boolean": True,
        "timestamp": datetime.now(UTC),
        "blob": b"x",
        "map": {},
    }
    return values.get(shape.type_name, (getattr(shape, "enum", None) or ["x"])[0])


def parameters(name: str, bucket: str, *, with_query: bool) -> dict[str, Any]:
    """Return the parameters of an operation; `with_query`: also the optional ones that go into the query."""
    shape = MODEL.operation_model(name).input_shape
    if shape is None:
        return {}
    values: dict[str, Any] = value_of(shape, "", bucket)
    for member, inner in shape.members.items():
        if with_query and inner.serialization.get("location") == "querystring":
            values[member] = value_of(inner, member, bucket)
    return values


def call(account: Account, name: str, values: dict[str, Any]) -> tuple[int, str, int]:
    """Return status, code and the number of retries."""
    try:
        answer = account.client._make_api_call(name, values)
    except ClientError as error:
        answer = error.response
    metadata = answer["ResponseMetadata"]
    return metadata["HTTPStatusCode"], answer.get("Error", {}).get("Code", ""), metadata["RetryAttempts"]


@pytest.mark.parametrize("with_query", [False, True], ids=["plain", "query"])
@pytest.mark.parametrize("bucket", ["lake", "empty", "absent"])
@pytest.mark.parametrize(
    "name", [name for name in MODEL.operation_names if name not in MODELLED | SAME_REQUEST.keys()]
)
def test_an_unmodelled_operation_is_refused_and_changes_nothing(
    account: Account, name: str, bucket: str, with_query: bool
) -> None:
    before = account.data()
    status, code, retries = call(account, name, parameters(name, bucket, with_query=with_query))
    assert (status, code, retries) == (501, "501" if name.startswith("Head") else "NotImplemented", 0)
    assert account.data() == before


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", 'id="1"'),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-website-redirect-location", "/other"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-server-side-encryption-customer-key", "k"),
        ("x-amz-header-of-a-later-year", "1"),
    ],
)
@pytest.mark.parametrize("name", ["PutObject", "CreateMultipartUpload", "CopyObject"])
def test_a_header_that_is_not_modelled_is_refused_and_nothing_changes(
    account: Account, name: str, header: str, value: str
) -> None:
    def add(params: dict[str, Any], **_: Any) -> None:
        params["headers"][header] = value

    event = f"before-call.s3.{name}"
    before = account.data()
    account.client.meta.events.register(event, add)
    try:
        answer = call(account, name, parameters(name, "lake", with_query=False))
    finally:
        account.client.meta.events.unregister(event, add)
    assert answer == (501, "NotImplemented", 0)
    assert account.data() == before


def test_headers_that_change_nothing_are_taken(account: Account) -> None:
    account.client.put_object(
        Bucket="empty",
        Key="e",
        Body=b"x",
        ACL="private",
        StorageClass="STANDARD",
        ServerSideEncryption="AES256",
    )
    assert account.client.head_object(Bucket="empty", Key="e")["ServerSideEncryption"] == "AES256"
    account.client.delete_object(Bucket="empty", Key="e")


@pytest.mark.parametrize("name", sorted(MODELLED))
def test_a_modelled_operation_belongs_to_s3_and_has_an_answer(account: Account, name: str) -> None:
    assert name in MODEL.operation_names
    status, code, _ = call(account, name, parameters(name, "absent", with_query=False))
    assert (status, code) != (501, "NotImplemented")
    assert status < 500


def test_the_table_assigns_each_request_to_its_operation() -> None:
    alike = [
        (one.name, other.name)
        for one in OPERATIONS
        for other in OPERATIONS
        if one.name < other.name
        and (one.method, one.level, one.copies) == (other.method, other.level, other.copies)
        and one.markers <= other.markers | other.optional
        and other.markers <= one.markers | one.optional
    ]
    assert alike == []
