"""The step kind `athena`: brings the catalog in line with the files of the pipeline's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from etltctl.ledger import Ledger
from etltctl.pipeline.model import StepHandle, StepResult, known, steps
from etltctl.pipeline.remote import StepKind, StepLine
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StepRun
from etltctl.publishing import GONE, NOT_PUBLISHED, Published, combined

if TYPE_CHECKING:
    from etltctl.settings import Settings

REFRESH = "refresh"


@dataclass(frozen=True)
class CatalogStep(StepKind):
    """The step kind `athena:refresh`. `kinds` are the kinds of step whose tables it refreshes."""

    kinds: Mapping[str, StepKind]
    name: ClassVar[str] = "athena"

    def require_known(self, name: str, settings: Settings) -> None:
        """Raise UsageError for any other name than `refresh`."""
        known({REFRESH: REFRESH}, name, f"step of {self.name}")

    def refreshed_tables(self, step_run: StepRun) -> list[str]:
        """Return every table that the pipeline's steps write, each once."""
        tables: dict[str, None] = {}
        for step in steps(step_run.pipeline, step_run.settings):
            tables |= dict.fromkeys(self.kinds[step.kind].tables(step.name, step_run.settings))
        return list(tables)

    def finish(self, step_run: StepRun, handle: StepHandle, run: None) -> StepResult:
        """Refresh the pipeline's tables."""
        return refresh_tables(self.refreshed_tables(step_run), step_run.services, step_run.ledger)

    def line(self, name: str, event: Mapping[str, Any]) -> StepLine:
        """Return the line with the number of tables."""
        return StepLine(f"{self.name} {name}", f"{len(event.get('tables', {}))} tables up to date")


def refresh_tables(tables: list[str], services: Services, ledger: Ledger) -> StepResult:
    """Bring the catalog in line with the files of these tables.

    Raises:
        EtltctlError: Some tables could not be refreshed. The others were, and are on record.
    """
    step = CatalogStep.step(REFRESH)
    refreshed, errors = services.lake.refresh_each(tables)
    facts = table_facts(refreshed)
    if any(table["change"] not in ("unchanged", NOT_PUBLISHED, GONE) for table in facts["tables"].values()):
        ledger.append("publish.switched", str(step), **facts)
    if errors:
        raise combined(errors, len(tables))
    return StepResult(str(step), facts=facts)


def table_facts(published: list[Published]) -> dict[str, Any]:
    """Return as plain data: the rows of all tables, and for each table its change, its rows and its warnings."""
    tables = {
        table.table: {"change": table.change, "rows": table.rows} | _details(table) for table in published
    }
    return {"rows": sum(table.rows for table in published), "tables": tables}


def _details(published: Published) -> dict[str, Any]:
    partitions = {name: count for name, count in asdict(published.partitions).items() if count}
    details = {
        "audit": published.audit,
        "partitions": partitions,
        "retired": list(published.retired),
        "warnings": list(published.warnings),
    }
    return {name: value for name, value in details.items() if value}
