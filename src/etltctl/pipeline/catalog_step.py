"""The step kind `athena`: brings the catalog in line with the files of the pipeline's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from etltctl.ledger import Ledger
from etltctl.permissions import Permission, Requirements
from etltctl.pipeline.model import Step, StepHandle, StepResult, steps_as_written, table_facts
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_kind import StepKind, StepLine
from etltctl.pipeline.step_run import StepRun
from etltctl.publishing import GONE, NOT_PUBLISHED, combined

if TYPE_CHECKING:
    from etltctl.settings import Settings

REFRESH = "refresh"


@dataclass(frozen=True)
class CatalogStep(StepKind):
    """The step kind `athena:refresh`. `kinds` are the kinds of step whose tables it refreshes."""

    kinds: Mapping[str, StepKind]
    name: ClassVar[str] = "athena"
    service: ClassVar[str] = "Athena"
    thing: ClassVar[str] = "step of athena"

    def names(self, settings: Settings) -> Iterable[str]:
        """Return the one name that the settings do not choose."""
        return (REFRESH,)

    def refreshed_tables(self, walk: Iterable[Step], settings: Settings) -> Sequence[str]:
        """Return every table that the pipeline's steps write, each once."""
        # A dict keeps the order of the steps: bronze is refreshed before the tables that are made from it.
        tables: dict[str, None] = {}
        for step in walk:
            tables |= dict.fromkeys(self.kinds[step.kind].tables(step.name, settings))
        return list(tables)

    def permissions(
        self, name: str, refreshed: Sequence[str], required: Requirements
    ) -> Iterator[Permission]:
        """Yield what it takes to list the tables' files, read their footers and change the catalog."""
        yield from required.refreshing(refreshed)

    def finish(self, step_run: StepRun, handle: StepHandle, run: None) -> StepResult:
        """Refresh the pipeline's tables."""
        walk = steps_as_written(step_run.pipeline, step_run.settings)
        tables = self.refreshed_tables(walk, step_run.settings)
        return refresh_tables(list(tables), step_run.services, step_run.ledger)

    def line(self, name: str, event: Mapping[str, Any]) -> StepLine:
        """Return the line with the number of tables."""
        return StepLine(f"{self.name} {name}", f"{len(event.get('tables', {}))} tables up to date")


def refresh_tables(tables: list[str], services: Services, ledger: Ledger) -> StepResult:
    """Bring the catalog in line with the files of these tables.

    Raises:
        EtltctlError: Some tables could not be refreshed. The others were, and are on record.
    """
    step = CatalogStep.step(REFRESH)
    # Every table is tried: one damaged table must not keep the others out of date.
    refreshed, errors = services.lake.refresh_each(tables)
    facts = table_facts(refreshed)
    # On record only if the catalog changed, so that `runs show` does not list switches without a change.
    if any(table["change"] not in ("unchanged", NOT_PUBLISHED, GONE) for table in facts["tables"].values()):
        ledger.append("publish.switched", str(step), **facts)
    if errors:
        raise combined(errors, len(tables))
    return StepResult(str(step), facts=facts)
