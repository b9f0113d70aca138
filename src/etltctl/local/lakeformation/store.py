"""Everything Lake Formation keeps, in memory and in one file, written after every change."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from threading import RLock
from typing import Any

from etltctl.local.control_plane import ACCOUNT, write_atomically

EVERYBODY = "IAM_ALLOWED_PRINCIPALS"
OWNER = f"arn:aws:iam::{ACCOUNT}:user/etltctl"  # whoever uses this machine: made everything, administers everything
OPEN = [{"Principal": {"DataLakePrincipalIdentifier": EVERYBODY}, "Permissions": ["ALL"]}]


def _first_settings() -> dict[str, Any]:
    return {
        "DataLakeAdmins": [{"DataLakePrincipalIdentifier": OWNER}],
        "ReadOnlyAdmins": [],
        "CreateDatabaseDefaultPermissions": OPEN,
        "CreateTableDefaultPermissions": OPEN,
        "Parameters": {"CROSS_ACCOUNT_VERSION": "4"},
        "TrustedResourceOwners": [],
        "AllowExternalDataFiltering": False,
        "ExternalDataFilteringAllowList": [],
    }


@dataclass
class Records:
    """The records by kind. Keys of resources are JSON lists (`resources.key_of`); grants are kept as granted.

    `known` are the databases and tables seen in the catalog, with the time each was made: one made anew has lost its
    grants, tags and filters.
    """

    settings: dict[str, Any] = field(default_factory=_first_settings)
    locations: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    assigned: dict[str, dict[str, str]] = field(default_factory=dict)
    filters: dict[str, dict[str, Any]] = field(default_factory=dict)
    grants: dict[str, dict[str, dict[str, list[str]]]] = field(default_factory=dict)
    opt_ins: list[list[str]] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)

    @property
    def admins(self) -> set[str]:
        """The data lake administrators."""
        return {found["DataLakePrincipalIdentifier"] for found in self.settings.get("DataLakeAdmins") or ()}


class Store:
    """The records with their lock and their file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lock = RLock()
        self.records = self._read()

    def keep(self) -> None:
        """Writes the records."""
        write_atomically(self._path, json.dumps(asdict(self.records)).encode())

    def _read(self) -> Records:
        if not self._path.exists():
            return Records()
        told = json.loads(self._path.read_text())
        return Records(**{item.name: told[item.name] for item in fields(Records) if item.name in told})
