"""The catalogue of causes, read from the files of this package."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from etltctl.causes.model import Cause, Retry, Rule
from etltctl.errors import ExitCode, NextStep, command, unknown

FILES = ("sync", "glue", "athena", "access", "checks", "machine", "network", "tableau")
# A cause whose entry names no services belongs to the service of its letter, or to every service. What etltctl finds
# itself (C, M) stands in its own errors: in those of a remote run the same words are the user's.
SERVICES: Mapping[str, frozenset[str]] = {
    "G": frozenset({"Glue", "AWS", ""}),
    "S": frozenset({"Airbyte", ""}),
    "Q": frozenset({"Athena", ""}),
    "C": frozenset({"AWS", ""}),
    "M": frozenset({"AWS", ""}),
    "T": frozenset({""}),
}
EVERY = frozenset({"Glue", "Airbyte", "Athena", "AWS", ""})
EXITS: Mapping[str, ExitCode] = {
    "failed": ExitCode.FAILED,
    "configuration": ExitCode.CONFIGURATION,
    "access": ExitCode.ACCESS,
    "blocked": ExitCode.BLOCKED,
    "unverified": ExitCode.UNVERIFIED,
    "already running": ExitCode.ALREADY_RUNNING,
    "timed out": ExitCode.TIMED_OUT,
    "budget": ExitCode.BUDGET,
    "interrupted": ExitCode.INTERRUPTED,
}
# What a cause means for the data, by the letter of its code. An entry may have its own sentence.
DATA: Mapping[str, str] = {
    "S": "No table is published by a sync. The bronze table may hold rows of the sync that failed.",
    "G": "What the job run wrote is not published: readers see the versions that were current before.",
    "Q": "What a failed query of a step wrote is not published: readers see the version that was current before. "
    "A query that only reads changes nothing.",
}
OTHER_DATA = (
    "No published version is overwritten. If the failure came between two publishes of one step, the tables published "
    "before it stay published; a retry completes the rest."
)
ESCAPE = re.compile(r"\\[a-zA-Z]|\(\?[:!<=]+")

UNKNOWN = Cause(
    "U000",
    "Unknown cause",
    "The cause is not known: nothing that the services and the logs say fits the catalogue.",
    NextStep("read the log: ", command("runs", "logs", "RUN", "--errors")),
    Retry.AFTER_FIX,
    data=OTHER_DATA,
)


@cache
def catalogue() -> Mapping[str, Cause]:
    """Return every cause by its code."""
    causes = {UNKNOWN.code: UNKNOWN}
    for name in FILES:
        causes |= causes_in(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))
    return causes


def causes_in(text: str) -> dict[str, Cause]:
    """Return the causes in the text of a file of the catalogue by code.

    Args:
        text: The entries by code, and the table `patterns`: patterns that several entries refer to by name.

    Raises:
        ValueError: An entry refers to a pattern that is not there.
    """
    entries = tomllib.loads(text)
    patterns = entries.pop("patterns", {})
    return {code: _cause(code, _with_pattern(code, entry, patterns)) for code, entry in entries.items()}


def _with_pattern(code: str, entry: Mapping[str, Any], patterns: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the entry with the pattern, or any of several, that its `unless` refers to."""
    unless = entry.get("unless")
    if not isinstance(unless, dict):
        return entry
    named = unless.get("pattern", "")
    names = named if isinstance(named, list) else [named]
    if unknown := [name for name in names if name not in patterns]:
        raise ValueError(
            f"{code}: there is no pattern {unknown[0]!r}; the file has: {', '.join(patterns) or 'none'}"
        )
    return {**entry, "unless": "|".join(patterns[name] for name in names)}


def cause_of_code(code: str) -> Cause:
    """Return the cause of a code.

    Args:
        code: The code, such as `G117`, in any case.

    Raises:
        UsageError: No cause has this code.
    """
    causes, name = catalogue(), code.strip().upper()
    if name not in causes:
        raise unknown(
            "cause",
            name,
            causes,
            hint=f"a code is a letter and three digits, such as {min(causes)}: see docs/causes/index.md",
        )
    return causes[name]


def names_of(step: str, run_id: str) -> dict[str, str]:
    """Return what stands for the names in a fix of the catalogue.

    Args:
        step: The step, `kind:name`.
        run_id: The run's id.
    """
    kind, _, name = step.partition(":")
    things = {"glue": "JOB", "sync": "SOURCE", "sql": "NAME"}
    return {"RUN": run_id, **({things[kind]: name} if kind in things else {})}


def _cause(code: str, entry: Mapping[str, Any]) -> Cause:
    rank = float(entry["rank"])
    return Cause(
        code=code,
        title=entry["title"],
        sentence=entry["sentence"],
        fix=NextStep.read(entry["fix"]),
        retry=Retry(entry["retry"]),
        exit_code=EXITS[entry.get("exit", "failed")],
        settings=tuple(entry.get("settings", ())),
        is_symptom=entry.get("is_symptom", False),
        searched=tuple(entry.get("searched", ())),
        rank=rank,
        codes=frozenset(entry.get("codes", ())),
        leads=frozenset(entry.get("leads", ())),
        refined_by=frozenset(entry.get("refined_by", ())),
        statuses=frozenset(entry.get("statuses", ())),
        status_rank=float(entry.get("status_rank", rank)),
        is_before_publish=entry.get("is_before_publish", False),
        is_data_changed=entry.get("is_data_changed", False),
        data=entry.get("data") or DATA.get(code[0], OTHER_DATA),
        rules=tuple(
            _rule(code, rank, {"services": entry.get("services"), "texts": entry["texts"], **each})
            for each in ({"unless": entry.get("unless")}, *entry.get("also", ()))
            if each.get("texts", entry["texts"])
        ),
    )


def _rule(code: str, rank: float, entry: Mapping[str, Any]) -> Rule:
    # One pattern for all texts of a rule: a log is searched once for each rule.
    words = "|".join(_alternative(text) for text in entry["texts"])
    named = entry["services"]
    return Rule(
        rank=float(entry.get("rank", rank)),
        words=words,
        services=SERVICES.get(code[0], EVERY) if named is None else frozenset(named),
        in_names=entry.get("in_names", False),
        is_over_lines=entry.get("is_over_lines", False),
        against=entry.get("unless") or "",
    )


def _alternative(text: str) -> str:
    """Return a text as a part of a pattern. A code in capitals fits only so: a table may be called `bad_data`."""
    letters = ESCAPE.sub("", text)
    is_code = "_" in letters and letters == letters.upper()
    return f"(?-i:{text})" if is_code else f"(?:{text})"
