"""The publish of the versions that a step wrote: once for each run, on record, with its line on the screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from etltctl.pipeline.budget import bill_query
from etltctl.pipeline.model import table_facts
from etltctl.pipeline.step_kind import StepLine, rows_text
from etltctl.pipeline.step_run import StepRun
from etltctl.publishing import Violation
from etltctl.values import layer_of


def publish_once(
    step_run: StepRun, outputs: Mapping[str, str], bases: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Publish the versions that a step wrote, unless this very run did so before.

    A newer run may have published since, which a second publish of this one would undo.

    Args:
        step_run: The step.
        outputs: The location of each version by its table.
        bases: The location of the version that an incremental job worked from, by table.

    Returns:
        The facts of the publish, for the step's result.
    """
    layer = layer_of(next(iter(outputs), ""))
    # The newest switch since the step was last started fresh; an older one belongs to work that is done again.
    before = step_run.last("publish.switched")
    if before is not None:
        return {"layer": layer, "rows": before["rows"], "tables": before["tables"]}
    lake = replace(
        step_run.services.lake,
        run_key=step_run.run_key,
        on_query=partial(bill_query, step_run),
        on_violation=partial(_note_violation, step_run),
    )
    published = table_facts(lake.publish(outputs, step_run.ledger.run_id, bases))
    step_run.append("publish.switched", **published)
    for text in (text for table in published["tables"].values() for text in table.get("warnings", ())):
        step_run.warn(text)
    return {"layer": layer, **published}


def _note_violation(step_run: StepRun, violation: Violation) -> None:
    """Record which rule a version breaks, how often, and some of the rows."""
    facts = {
        "table": violation.table,
        "name": violation.name,
        "rule": violation.rule,
        "count": violation.count,
        "rows": violation.rows,
    }
    step_run.note("check.result", **facts, reaction=violation.reaction)


def published_line(name: str, event: Mapping[str, Any]) -> StepLine:
    """Return the line of a step that published: its tables, and what the row counts of its job add up to.

    Args:
        name: The step's name.
        event: The step's last event.
    """
    tables = event.get("tables", {})
    result = f"published {len(tables)} {'table' if len(tables) == 1 else 'tables'}"
    return StepLine(name, rows_text(event.get("rows")), result + _row_counts_text(tables.values()))


def _row_counts_text(tables: Iterable[Mapping[str, Any]]) -> str:
    """Return the sums of what the job counted: rows in, if every row is accounted for; then each other count."""
    counted = [counts for table in tables if "rows_in" in (counts := table.get("audit", {}))]
    counts = {
        name: sum(one.get(name, 0) for one in counted)
        for name in ("rows_in", "rows_out", "merged", "rejected")
    }
    rows_in, rows_out = counts.pop("rows_in"), counts.pop("rows_out")
    flags: dict[str, int] = {}
    for one in counted:
        for flag, count in one.get("flags", {}).items():
            flags[flag] = flags.get(flag, 0) + count
    is_conserved = rows_in and rows_in == rows_out + sum(counts.values())
    parts = [f"{rows_in:,} in"] if is_conserved else []
    parts += [f"{count:,} {name}" for name, count in counts.items() if count]
    parts += [f"{flag} {count:,}" for flag, count in flags.items()]
    return f" · {', '.join(parts)}" if parts else ""
