"""The registry of step kinds. A new kind is one file, and its class in the tuple below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etltctl.pipeline.catalog_step import CatalogStep
from etltctl.pipeline.glue_step import GlueStep
from etltctl.pipeline.model import Step, known
from etltctl.pipeline.remote import RemoteRun, StepKind, StepLine
from etltctl.pipeline.services import Services
from etltctl.pipeline.sync_step import SyncStep
from etltctl.pipeline.tableau_step import TableauStep
from etltctl.runs import Run

KINDS: dict[str, StepKind] = {}
# The catalog step asks every kind for its tables, so it gets the registry itself.
KINDS |= {kind.name: kind for kind in (SyncStep(), GlueStep(), CatalogStep(KINDS), TableauStep())}


def kind_of(step: Step) -> StepKind:
    """Return the kind of the step; raise UsageError with the nearest kind if there is no such kind."""
    return known(KINDS, step.kind, "kind of step")


def remote_run_of(step: Step, services: Services, remote_id: str) -> RemoteRun[Run]:
    """Return the step's remote run of that id."""
    return kind_of(step).remote_run(services, step.name, remote_id)


def title_of(step: str) -> str:
    """Return the name of a running step, `kind:name`, for the console. A later etltctl may know more kinds."""
    kind, _, name = step.partition(":")
    return KINDS[kind].title(name) if kind in KINDS else step


def line_of(event: Mapping[str, Any]) -> StepLine:
    """Return what the console prints of a step that succeeded, from its last event."""
    kind, _, name = event["step"].partition(":")
    return KINDS.get(kind, StepKind()).line(name, event)
