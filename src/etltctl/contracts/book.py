"""Contracts as files: `<table>.toml`, made from the first good version, for people to read, review and commit."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from etltctl.errors import ConfigurationError


@dataclass(frozen=True)
class Contract:
    """What a table promises: its columns and partition columns with their Hive types, and since which version."""

    table: str
    columns: Mapping[str, str]
    version: str = ""


@dataclass(frozen=True)
class ContractBook:
    """The contracts in a folder, one file a table."""

    folder: Path

    def file(self, table: str) -> Path:
        """Where the table's contract is kept."""
        return self.folder / f"{table}.toml"

    def find(self, table: str) -> Contract | None:
        """The table's contract, or None; raises ConfigurationError for a file that is none."""
        file = self.file(table)
        try:
            told = tomllib.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise _unreadable(file, str(error)) from error
        columns = told.get("columns")
        if not isinstance(columns, dict) or not all(isinstance(kind, str) for kind in columns.values()):
            raise _unreadable(file, "it has no table [columns] of names and types")
        return Contract(table, columns, str(told.get("version", "")))

    def keep(self, contract: Contract) -> bool:
        """Writes the contract; False where the folder cannot be written to, as on a worker."""
        file = self.file(contract.table)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            written = file.with_suffix(".new")
            written.write_text(_as_toml(contract), "utf-8")
            written.replace(file)
        except OSError:
            return False
        return True


def _as_toml(contract: Contract) -> str:
    lines = [
        f"# What {contract.table} promises its readers; etltctl contract accept {contract.table} changes it.",
        f"table = {json.dumps(contract.table)}",
        f"version = {json.dumps(contract.version)}",
        "",
        "[columns]",
        *(f"{json.dumps(name)} = {json.dumps(kind)}" for name, kind in contract.columns.items()),
    ]
    return "\n".join(lines) + "\n"


def _unreadable(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the contract {file} cannot be read: {why}",
        hint="correct it, or delete it: the next good version makes a new one",
    )
