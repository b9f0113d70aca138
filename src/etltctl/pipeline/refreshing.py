"""The step that brings the catalog in line with the files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from etltctl.ledger import Ledger
from etltctl.pipeline.model import Begun, Step, StepResult, steps
from etltctl.pipeline.services import Services
from etltctl.pipeline.work import Work
from etltctl.publishing import GONE, NOT_PUBLISHED, Published, combined


def refresh_pipeline(work: Work, begun: Begun, run: None) -> StepResult:  # noqa: ARG001 - the same shape for every kind
    """Brings the catalog in line with the files of every table that the pipeline reads or writes."""
    return refresh_tables(tables_of(work.pipeline, work.services), work.services, work.ledger)


def refresh_tables(tables: list[str], services: Services, ledger: Ledger) -> StepResult:
    """Brings the catalog in line with the files of these tables."""
    step = Step("athena", "refresh")
    refreshed, errors = services.lake.refresh_each(tables)
    facts = table_facts(refreshed)
    if any(table["change"] not in ("unchanged", NOT_PUBLISHED, GONE) for table in facts["tables"].values()):
        ledger.append("publish.switched", str(step), **facts)
    if errors:
        raise combined(errors, len(tables))
    return StepResult(str(step), facts=facts)


def table_facts(published: list[Published]) -> dict[str, Any]:
    """What was published, as plain data."""
    tables = {found.table: {"change": found.change, "rows": found.rows} | _more(found) for found in published}
    return {"rows": sum(found.rows for found in published), "tables": tables}


def _more(found: Published) -> dict[str, Any]:
    """What there is to say of the table beyond its rows."""
    partitions = {name: count for name, count in asdict(found.partitions).items() if count}
    told = {
        "audit": found.audit,
        "partitions": partitions,
        "retired": list(found.retired),
        "warnings": list(found.warnings),
    }
    return {name: value for name, value in told.items() if value}


def tables_of(pipeline: str, services: Services) -> list[str]:
    """Every table that the pipeline reads from its sources or writes."""
    settings = services.settings
    found: dict[str, None] = {}
    for step in steps(pipeline, settings):
        if step.kind == "sync":
            found |= dict.fromkeys(f"bronze.{name}" for name in settings.stream_locations(step.name))
        elif step.kind == "glue":
            found |= dict.fromkeys(settings.glue.jobs[step.name].writes)
    return list(found)
