"""What a run of an incremental Glue job had to read, from the record that its arguments name and from its reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from etltctl.errors import NextStep, UnverifiedError, bounded, command
from etltctl.pipeline.step_run import StepRun
from etltctl.publishing import EVERYTHING, VersionInputs
from etltctl.runs import JobRun

CHANGES = "--changes"  # the argument that names the record
FULL = "full"  # the option of a run
LONGEST_REASON = 200  # characters of a script's reason, which stands on one line


def recorded_inputs(step_run: StepRun, run: JobRun) -> VersionInputs:
    """Return what the run had to read, as it stood in its arguments; nothing for a job that is not incremental.

    Args:
        step_run: The step.
        run: The job run.

    Raises:
        UnverifiedError: The record is gone, or another etltctl wrote it. Without it, no one knows which files to copy.
    """
    place = run.arguments.get(CHANGES)
    if not place:
        return VersionInputs()
    inputs = step_run.services.lake.input_records.read(place)
    if inputs is None:
        raise UnverifiedError(
            f"what Glue job {run.name} had to read cannot be read any more, so its tables cannot be completed",
            hint=NextStep(
                "nothing was published, the current versions stay; run it again: ",
                command("retry", step_run.ledger.run_id, "--fresh"),
            ),
            record=place,
        )
    return inputs


def warn_of_earlier_inputs(step_run: StepRun, run: JobRun) -> None:
    """Warn if everything was to be read, and the run that was found has been started to read what was new.

    Args:
        step_run: The step.
        run: The job run, which this try did not start.
    """
    place = run.arguments.get(CHANGES)
    if not place or not step_run.ledger.options.get(FULL):
        return
    inputs = step_run.services.lake.input_records.read(place)
    if inputs is not None and inputs.base:
        step_run.warn(
            f"job run {run.id} was started before to read what was new, and does not read everything"
        )


def inputs_facts(step_run: StepRun, inputs: VersionInputs, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return how much a job run has read, as the events of a run carry it; nothing for a job that is not incremental.

    A script that was to read what is new may have read everything. Then its report says why, and so does the ledger.

    Args:
        step_run: The step.
        inputs: What the run had to read.
        tables: The facts of each published table, with what the job reported of it as `audit`.
    """
    if not (inputs.files or inputs.versions):
        return {}
    reason = _reported_reason(step_run, tables) if inputs.base else ""
    if not reason:
        return inputs.facts()
    facts = replace(inputs, why=reason).facts()
    before = step_run.last("step.inputs")
    if before is None or before.get(EVERYTHING) != reason:  # a try that was resumed has it on record
        step_run.note("step.inputs", **facts)
    return facts


def _reported_reason(step_run: StepRun, tables: Mapping[str, Any]) -> str:
    """Return why the script read everything, on one line, from its report on any table; empty if none says so."""
    reports = {table: facts.get("audit", {}) for table, facts in tables.items()}
    for table, report in reports.items():
        reason = report.get(EVERYTHING, "")
        if not isinstance(reason, str):
            step_run.warn(f"the job's report on {table} has no text as {EVERYTHING}, so it does not count")
        elif line := " ".join(reason.split()):
            return bounded(line, LONGEST_REASON)
    return ""


def inputs_text(facts: Mapping[str, Any]) -> str:
    """Return what a run of an incremental job has read, as its line shows it; empty for another job.

    Args:
        facts: Those of `VersionInputs.facts`.
    """
    if not facts:
        return ""
    if why := facts.get(EVERYTHING):
        return f" · read everything: {why}"
    parts = [f"{facts['new_files']:,} of {facts['files']:,} files new"] if facts.get("files") else []
    if facts.get("touched"):
        parts.append(f"{facts['touched']:,} changed partition{'s' if facts['touched'] > 1 else ''}")
    return f" · {', '.join(parts) or 'nothing new'}"
