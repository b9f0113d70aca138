"""What the record of a failure says in the first lines of every message about it: cause, proof, next command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etltctl.causes.catalogue import UNKNOWN, names_of
from etltctl.causes.model import Cause
from etltctl.next_steps import Command, NextStep, command


def cause_and_proof(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the cause with its code, and the first line of evidence, as text.

    Args:
        record: The facts of the last event of the step or run that failed.
    """
    evidence = record.get("evidence") or [{}]
    first = evidence[0]
    proof = f"{first.get('source', '')}: {first.get('text', '')}" if first else "the log says nothing"
    return {"cause": f"{record['cause']} {record['explanation']}", "proof": proof}


def fix_of(
    cause: Cause, step: str, run_id: str, *, then_retry: bool, again: Command | None = None
) -> NextStep:
    """Return the fix of a cause for one step of a run.

    Args:
        cause: The cause. Without a known one, the fix is empty.
        step: The step, `kind:name`.
        run_id: The run's id.
        then_retry: Whether `again` belongs to it, unless the fix names a retry already.
        again: The command that does the work again; None for the retry of the run.
    """
    again = again or command("retry", run_id)
    fix = cause.fix.naming(again).filled(names_of(step, run_id)) if cause != UNKNOWN else NextStep()
    if not then_retry or _has_retry(fix):
        return fix
    return NextStep(*fix.parts, "; then: ", again) if fix.parts else NextStep(again)


def _has_retry(step: NextStep) -> bool:
    return any(isinstance(part, Command) and part.words[0] == "retry" for part in step.parts)
