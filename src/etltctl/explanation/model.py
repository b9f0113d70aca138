"""The values of an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from etltctl.causes import Diagnosis
from etltctl.errors import NextStep


@dataclass(frozen=True)
class BrokenRule:
    """A rule that the new version of a table breaks, and what becomes of the version.

    Attributes:
        table: The table, `layer.table`.
        name: The rule's name. An older etltctl recorded only what was broken, which is the name of most rules.
        rule: What is broken, in words.
        reaction: `evolve` if the version was published all the same.
        count: How many rows break it; 0 for what is judged without counting.
        rows: Some of these rows.
    """

    table: str
    name: str
    rule: str
    reaction: str = ""
    count: int = 0
    rows: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class TableState:
    """Which version of a table readers see.

    Attributes:
        table: The table, `layer.table`.
        run_id: The run that published it, or the version that a rollback made current.
        since: When it was published, in UTC.
        rows: How many rows it has; None if the record does not say.
    """

    table: str
    run_id: str
    since: str
    rows: int | None = None


class Ender(StrEnum):
    """Who ended a run.

    A caller is a person or a program that asked for the stop, such as a scheduler; a budget is one, too.
    """

    CALLER = "caller"
    SERVICE = "service"
    ETLTCTL = "etltctl"


@dataclass(frozen=True)
class Explanation:
    """What is known of a run that failed, of a failed try of a run that has succeeded since, or the state of any other.

    Attributes:
        run_id: The run's id.
        pipeline: What it is of.
        env: Its environment.
        outcome: `failed`, `unverified`, `interrupted`, `succeeded`, `detached` or `unfinished`.
        began: When it began, in UTC.
        steps: Its steps, `kind:name`; empty for a run of a command such as a rollback.
        command: The words of the command that a run without steps is of; empty if they are not on record.
        step: The step that failed; empty if the run failed before its first step, or did not fail.
        failed_at: When it failed, in UTC; empty if it did not.
        recovered_at: When a later try of the run succeeded, in UTC; empty if none did.
        seconds: How long the step, or the run, took.
        error: The error's words.
        diagnosis: The cause; None if no try of the run failed.
        broken: The checks that stopped the publish.
        stopped_by: Who ended the run, in words: "stopped by …" if it was a caller, else a noun.
        ended_by: The same, to decide by; None if the run did not fail.
        tables: What readers see of the tables of the run.
        published: The tables that this run published before it failed.
        may_be_half_published: Whether the step may have been cut off between the switches of its tables.
        cleared: The source whose files in bronze were deleted just before the run, for a full sync; empty for none.
        has_gaps: Whether events of the run are lost, so that it may have published more than is on record.
        spent_usd: What the run cost; None if its environment bills nothing.
        retry_usd: What a retry of the step is expected to cost; None if nothing is known.
        settings: The settings or options to change.
        comparison: How the run compares with the runs before it, a sentence each.
        next_steps: What to do, the safest first.
        notes: What the record lacks.
    """

    run_id: str
    pipeline: str
    env: str
    outcome: str
    began: str
    steps: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    step: str = ""
    failed_at: str = ""
    recovered_at: str = ""
    seconds: float | None = None
    error: str = ""
    diagnosis: Diagnosis | None = None
    broken: tuple[BrokenRule, ...] = ()
    stopped_by: str = ""
    ended_by: Ender | None = None
    tables: tuple[TableState, ...] = ()
    published: tuple[str, ...] = ()
    may_be_half_published: bool = False
    cleared: str = ""
    has_gaps: bool = False
    spent_usd: float | None = None
    retry_usd: float | None = None
    settings: tuple[str, ...] = ()
    comparison: tuple[str, ...] = ()
    next_steps: tuple[NextStep, ...] = ()
    notes: tuple[str, ...] = ()
