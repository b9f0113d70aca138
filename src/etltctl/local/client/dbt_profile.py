"""The profile by which dbt reaches the lake's Athena."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from etltctl.local.client.endpoints import REGION
from etltctl.values import S3Location

if TYPE_CHECKING:
    from etltctl.settings import Settings

NAME = "etltctl"  # of the profile: `profile: etltctl` in dbt_project.yml
CATALOG = "awsdatacatalog"  # dbt's word for it is `database`


def dbt_profile(settings: Settings) -> dict[str, Any]:
    """Return the content of `profiles.yml` for the embedded lake, without a secret.

    dbt takes the server's address and keys from the environment. Its tables go into a database and a folder of their
    own, because a folder of etltctl's tables holds versions, and nothing else may write there.
    """
    gold = S3Location.parse(settings.lake.gold)
    target = {
        "type": "athena",
        "region_name": REGION,
        "database": CATALOG,
        "schema": f"{settings.project.replace('-', '_')}_dbt",
        "work_group": settings.athena.workgroup,
        "s3_staging_dir": settings.athena.output_location,
        "s3_data_dir": str(gold.folder("dbt")),
        "threads": 2,
    }
    return {NAME: {"target": "local", "outputs": {"local": target}}}


def as_yaml(value: dict[str, Any], indent: str = "") -> str:
    """Return nested objects of texts and numbers as YAML; a text is quoted as in JSON, which YAML reads too."""
    lines = [
        f"{indent}{name}:\n{as_yaml(one, f'{indent}  ')}"
        if isinstance(one, dict)
        else f"{indent}{name}: {json.dumps(one)}"
        for name, one in value.items()
    ]
    return "\n".join(lines)
