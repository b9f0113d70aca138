"""The owner of an embedded server, in which no intruder creates anything."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.callers import BUCKET, Caller
from support.served import Served


def traces(server: Served) -> str:
    """Return every resource that the operations of an intruder would have created."""
    seen = [
        server.client("s3").list_buckets()["Buckets"],
        server.client("glue").get_databases()["DatabaseList"],
        server.client("athena").list_work_groups()["WorkGroups"],
        server.client("lakeformation").list_lf_tags()["LFTags"],
        server.client("logs").describe_log_groups()["logGroups"],
        server.client("ssm").describe_parameters()["Parameters"],
        server.client("secretsmanager").list_secrets()["SecretList"],
        server.client("iam").list_users()["Users"],
        [vpc["CidrBlock"] for vpc in server.client("ec2").describe_vpcs()["Vpcs"]],
    ]
    return json.dumps(seen, default=str)


@pytest.fixture(scope="module")
def owner(server: Served) -> Iterator[Caller]:
    """The owner's keys. At the end of the module no intruder has created a resource."""
    server.request("POST", "stack", {"buckets": [BUCKET]})
    yield Caller(server, server.keys.access_key_id, server.keys.secret_access_key)
    left = traces(server)
    assert "intruder" not in left
    assert "10.9.0.0" not in left
