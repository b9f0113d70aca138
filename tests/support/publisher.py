"""A role that publishes to a governed lake, and the lake as the role's process sees it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.publishing import Lake, Published
from etltctl.s3 import S3
from etltctl.settings import Settings
from support.governed import GovernedLake, arn, governed_lake


@dataclass(frozen=True)
class Publisher:
    """A session of the role `operator` on the lake's server."""

    lake: GovernedLake
    credentials: Mapping[str, str]

    @classmethod
    def of(cls, lake: GovernedLake) -> Publisher:
        """Assume the role."""
        return cls(lake, session_of(lake.client("sts"), arn("operator")))

    @contextmanager
    def led(self) -> Iterator[None]:
        """Make the role this process's caller within the block."""
        with led_by({**self.credentials, "AWS_DEFAULT_REGION": "us-east-1"}):
            yield

    def client(self, service: str) -> Any:
        """Return unmodified boto3 with the role's credentials."""
        return boto3.client(
            service,
            endpoint_url=self.lake.environ["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id=self.credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.credentials["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=self.credentials["AWS_SESSION_TOKEN"],
        )

    def publish(self, settings: Settings, versions: Mapping[str, str]) -> list[Published]:
        """Publish a version of each table as the role."""
        with self.led():
            return publish(settings, versions)


def session_of(sts: Any, role: str) -> dict[str, str]:
    """Return the environment variables of a session of the role, an ARN."""
    credentials = sts.assume_role(RoleArn=role, RoleSessionName="publisher")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


@contextmanager
def led_by(environ: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables of this process within the block."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in environ.items():
            environment.setenv(name, value)
        yield


def publish(settings: Settings, versions: Mapping[str, str]) -> list[Published]:
    """Publish a version of each table as this process's caller."""
    aws = Aws(region="us-east-1")
    lake = Lake(settings, S3(aws), Catalog(aws))
    return lake.publish({table: lake.version_location(table, version) for table, version in versions.items()})


def governed_by_iam(folder: Path) -> Iterator[GovernedLake]:
    """Yield a lake with the role `operator` on which nothing is registered, and lead this process to it."""
    with governed_lake(folder, os.environ) as lake:
        lake.client("iam").create_role(RoleName="operator", AssumeRolePolicyDocument="{}")
        yield lake


def write_version(lake: GovernedLake, table: str, version: str, rows: int = 2) -> None:
    """Write a version of `layer.table` with the column `n`, as a job would."""
    layer, _, name = table.partition(".")
    body = io.BytesIO()
    pq.write_table(pa.table({"n": list(range(rows))}), body)
    key = f"{name}/v={version}/part-0.parquet"
    lake.client("s3").put_object(Bucket=f"pi-m3-{layer}", Key=key, Body=body.getvalue())
