"""The recorded failures: what the services said, and the cause that a person would name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etltctl.causes import Failure, Line

FOLDER = Path(__file__).parents[1] / "unit" / "causes" / "failures"


@dataclass(frozen=True)
class Recorded:
    """A failure, its cause, and where its wording was read."""

    name: str
    code: str
    source: str
    failure: Failure
    detail: str = ""


def recorded(*, held_out: bool) -> list[Recorded]:
    """Return the failures that the patterns were written and corrected with, or those that were written after them."""
    files = [file for file in sorted(FOLDER.glob("*.toml")) if file.stem.startswith("held_out") == held_out]
    return [
        _recorded(f"{file.stem}-{number}-{entry['code']}", entry)
        for file in files
        for number, entry in enumerate(tomllib.loads(file.read_text("utf-8"))["failure"], start=1)
    ]


def _recorded(name: str, entry: Mapping[str, Any]) -> Recorded:
    stream = entry.get("streams", ["driver"])[0]
    log = [Line(text, stream) for text in entry.get("log", "").strip("\n").splitlines()]
    reason = [Line(entry["reason"])] if entry["reason"] else []
    failure = Failure(
        (*reason, *log), entry["service"], entry.get("status", ""), entry.get("code_of_service", "")
    )
    return Recorded(name, entry["code"], entry["source"], failure, entry.get("detail", ""))
