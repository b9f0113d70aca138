"""Settings of Airbyte connections as code: when and how a source is synced, and where the destination writes."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from etltctl.settings.section import Secret, Section


def _schedule(text: str) -> str:
    if text != "manual" and not re.fullmatch(r"cron( \S+){6,7}", text):
        raise ValueError(
            f"must be 'manual', or 'cron' and a Quartz expression like 'cron 0 0 3 * * ?', got {text!r}"
        )
    return text


class Connected(Section):
    """How Airbyte syncs a source; `schedule` is left to etltctl and Airflow unless a cron is given."""

    schedule: Annotated[str, AfterValidator(_schedule)] = "manual"
    sync_mode: Literal["full_refresh_overwrite", "full_refresh_append", "incremental_append"] = (
        "full_refresh_overwrite"
    )
    schema_changes: Literal["ignore", "disable_connection", "propagate_columns", "propagate_fully"] = (
        "propagate_columns"
    )


class Destination(Section):
    """How Airbyte writes Parquet into bronze: as the role, with the key, or with what its own machine may do."""

    region: str = ""  # that of `aws`, unless named
    role_arn: str = ""
    access_key_id: Secret = ""
    secret_access_key: Secret = ""
    codec: Literal["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD"] = "SNAPPY"
