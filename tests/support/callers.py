"""Callers of the embedded server: with the owner's keys, with others, and with requests changed after signing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etltctl.local.kernel.keys import Keys
from support.served import Served, make_client

BUCKET = "door-lake"
OPERATIONS = {
    "s3": ("create_bucket", {"Bucket": "intruder"}),
    "glue": ("create_database", {"DatabaseInput": {"Name": "intruder"}}),
    "athena": ("create_work_group", {"Name": "intruder"}),
    "lakeformation": ("create_lf_tag", {"TagKey": "intruder", "TagValues": ["x"]}),
    "logs": ("create_log_group", {"logGroupName": "intruder"}),
    "ssm": ("put_parameter", {"Name": "intruder", "Value": "x", "Type": "String"}),
    "secretsmanager": ("create_secret", {"Name": "intruder", "SecretString": "x"}),
    "cloudtrail": ("lookup_events", {}),
    "iam": ("create_user", {"UserName": "intruder"}),
    "sts": ("get_caller_identity", {}),
    "cloudformation": ("describe_stacks", {}),
    "ec2": ("create_vpc", {"CidrBlock": "10.9.0.0/16"}),
}


@dataclass(frozen=True)
class Caller:
    """boto3 with some credentials, whose requests can be changed after they were signed."""

    server: Served
    key: str
    secret: str

    def refused(self, service: str, before_send: Callable[[Any], None] = lambda request: None) -> str:
        """Return the error code of the service's refusal of its first operation."""
        client = make_client(service, self.server.port, Keys(self.key, self.secret, ""))
        client.meta.events.register("before-send", lambda request, **_: before_send(request))
        operation, arguments = OPERATIONS[service]
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)(**arguments)
        return str(caught.value.response["Error"]["Code"])
