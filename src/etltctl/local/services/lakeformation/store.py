"""Everything Lake Formation keeps, in memory and in one file, written after every change."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from threading import RLock
from typing import Any

from etltctl.local.kernel.accounts import EVERYBODY, OWNER
from etltctl.local.kernel.state_files import LateWrites, read_json
from etltctl.local.services.lakeformation.resources import key

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


def _first_grants() -> dict[str, dict[str, dict[str, list[str]]]]:
    """Return what a new account grants: every principal that IAM allows may create databases, until that is revoked."""
    return {EVERYBODY: {key("CATALOG"): {"plain": ["CREATE_DATABASE"], "grantable": []}}}


@dataclass
class Records:
    """The records by kind. Keys of resources are JSON lists (`resources.key_of`); grants are kept as granted.

    `known` are the databases and tables seen in the catalog, with the time each was made: one that was made again
    has lost its grants, tags and filters. `lost` says that the records before were damaged: then nothing that is in
    the catalog gets the default permissions, because what was closed must not stand open.
    """

    settings: dict[str, Any] = field(default_factory=_first_settings)
    locations: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    assigned: dict[str, dict[str, str]] = field(default_factory=dict)
    filters: dict[str, dict[str, Any]] = field(default_factory=dict)
    grants: dict[str, dict[str, dict[str, list[str]]]] = field(default_factory=_first_grants)
    opt_ins: list[list[str]] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    has_catalog: bool = True  # false in no new record: older files have no grants on the catalog

    @property
    def admins(self) -> set[str]:
        """The data lake administrators."""
        return {admin["DataLakePrincipalIdentifier"] for admin in self.settings.get("DataLakeAdmins") or ()}


class Store:
    """The records with their lock and their file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._late = LateWrites()
        self.lock = RLock()
        self.records = self._read()

    def keep(self) -> None:
        """Write the records.

        Raises:
            OSError: the disk does not take them now; they are in force, and written as soon as it does.
        """
        self._late.write_now(self._path, json.dumps(asdict(self.records)).encode())

    def _read(self) -> Records:
        was_there = self._path.exists()
        kept = read_json(self._path, _parse)
        if kept is None and was_there:
            # Not the first settings, which open every table to every principal that IAM allows.
            kept = _closed()
            self._late.write(self._path, json.dumps(asdict(kept)).encode())
        return kept or Records()


def _parse(content: Any) -> Records:
    if not isinstance(content, dict):
        raise TypeError("it is not an object")
    first = asdict(Records())
    known = {item.name: content[item.name] for item in fields(Records) if item.name in content}
    for name, value in known.items():
        # Checked here, because a list in place of a dictionary would fail at its first use only.
        if type(value) is not type(first[name]):
            raise ValueError(f"{name} is not a {type(first[name]).__name__}")
    records = Records(**known)
    if "has_catalog" not in content and not records.lost:
        for target, held in _first_grants()[EVERYBODY].items():
            records.grants.setdefault(EVERYBODY, {}).setdefault(target, held)
    records.admins  # noqa: B018  administrators that cannot be read would stop every question
    return records


def _closed() -> Records:
    """Return records that show the tables to the owner only: tables that the lost records had closed stay closed."""
    records = Records(lost=True, grants={})
    # New tables are closed too, until an administrator says otherwise.
    records.settings |= {"CreateDatabaseDefaultPermissions": [], "CreateTableDefaultPermissions": []}
    return records
