"""The registry of step kinds. A new kind is one file, and its class in the tuple below.

The layers below the pipeline know no kind. What they need of a step is handed to them as values: the permissions that
it requires of IAM, and the tables of the catalog that it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from etltctl.errors import guess_text
from etltctl.pipeline.catalog_step import CatalogStep
from etltctl.pipeline.glue_step import GlueStep
from etltctl.pipeline.model import Step, known, steps_as_written
from etltctl.pipeline.services import Services
from etltctl.pipeline.sql_step import SqlStep
from etltctl.pipeline.step_kind import RemoteRun, StepKind, StepLine
from etltctl.pipeline.sync_step import SyncStep
from etltctl.pipeline.tableau_step import TableauStep
from etltctl.runs import Run

if TYPE_CHECKING:
    from etltctl.governance import CatalogChanges
    from etltctl.settings import Settings

KINDS: dict[str, StepKind] = {}
# The catalog step asks every kind for its tables, so it gets the registry itself.
KINDS |= {kind.name: kind for kind in (SyncStep(), GlueStep(), SqlStep(), CatalogStep(KINDS), TableauStep())}


def kind_of(step: Step) -> StepKind:
    """Return the kind of the step; raise UsageError with the nearest kind if there is no such kind."""
    return known(KINDS, step.kind, "kind of step")


def steps(pipeline: str, settings: Settings) -> list[Step]:
    """Return the steps of the pipeline, in their order.

    Raises:
        ConfigurationError: A pipeline of the settings has a step that does not exist. It lists every one with its
            place.
    """
    from etltctl.settings.complaints import complaint

    if problems := list(unknown_steps(settings)):
        raise complaint(problems)
    return steps_as_written(pipeline, settings)


def unknown_steps(settings: Settings) -> Iterator[str]:
    """Yield a problem, with its place, for each step of a pipeline that no kind has."""
    known_steps = dict.fromkeys(
        str(kind.step(name)) for kind in KINDS.values() for name in kind.names(settings)
    )
    for pipeline in settings.pipelines:
        for step in settings.pipelines[pipeline].steps:
            if step not in known_steps:
                # Compared as a whole: the kind may be misspelt as well as the name.
                guess = guess_text(step, known_steps) or f", known: {', '.join(known_steps)}{_adding(step)}"
                place = settings.place_of("pipelines", pipeline, "steps")
                yield f"{place}: pipeline {pipeline} has the unknown step {step}{guess}"


def _adding(step: str) -> str:
    """Return how to add the thing that a step of a known kind names, to end a message; empty if no command does."""
    kind, _, name = step.partition(":")
    adding = KINDS[kind].adding(name) if kind in KINDS and name else None
    return f"; add it: `{adding}`" if adding else ""


def spent_usd(step: str, run: Run, settings: Settings) -> float:
    """Return what a remote run of a step has cost so far, in US dollars, as its kind reckons it.

    Args:
        step: The step, `kind:name`.
        run: The remote run, as a poll reported it.
        settings: The settings, which have the prices.
    """
    return kind_of(Step.parse(step)).spent_usd(run, settings)


def in_detail(step: str, run: Run, services: Services) -> Run:
    """Return a live remote run with what its service shows apart from its status, such as the stages of Spark.

    Args:
        step: The step, `kind:name`.
        run: The remote run, as a poll reported it.
        services: The services of the environment.
    """
    return kind_of(Step.parse(step)).in_detail(run, services)


def jobs_to_warm(walk: Sequence[Step]) -> list[str]:
    """Return the names of the steps whose JVM can be warmed while another step of the run goes on."""
    # Without such a step in front the job starts at once, and nothing is gained by a warm JVM.
    if not any(kind_of(step).leaves_time for step in walk):
        return []
    return [step.name for step in walk if kind_of(step).needs_jvm]


def published_tables(settings: Settings) -> list[str]:
    """Return the tables that have published versions, as `layer.table`, each once."""
    return list(
        dict.fromkeys(
            table
            for kind in KINDS.values()
            for name in kind.names(settings)
            for table in kind.published_tables(name, settings)
        )
    )


def refreshed_by(step: Step, walk: Iterable[Step], settings: Settings) -> Sequence[str]:
    """Return the tables whose catalog entry the step brings in line, as one of the steps of its pipeline."""
    return kind_of(step).refreshed_tables(walk, settings)


def lineage_of(step: Step, settings: Settings) -> tuple[Sequence[str], Sequence[str]]:
    """Return what the step reads and what it writes: tables as `layer.table`, or another thing by its kind and name.

    Nothing of a step that the settings do not have any more.
    """
    kind = KINDS.get(step.kind)
    if kind is None or step.name not in kind.names(settings):
        return (), ()
    return kind.inputs(step.name, settings), kind.outputs(step.name, settings)


def changes_of(chosen: Iterable[Step], walk: Sequence[Step], settings: Settings) -> list[CatalogChanges]:
    """Return what steps change in the catalog; a step that changes nothing there is left out.

    Args:
        chosen: The steps.
        walk: All steps of their pipeline.
        settings: The settings.
    """
    from etltctl.governance import CatalogChanges

    changes = (
        CatalogChanges(
            str(step),
            tuple(kind_of(step).published_tables(step.name, settings)),
            tuple(refreshed_by(step, walk, settings)),
            tuple(kind_of(step).queried_tables(step.name, settings)),
        )
        for step in chosen
    )
    return [each for each in changes if each]


def changes_of_pipelines(settings: Settings) -> list[CatalogChanges]:
    """Return what the steps of all pipelines change in the catalog, in the order of their names."""
    walks = [steps(pipeline, settings) for pipeline in settings.pipelines]
    # A step may be part of several pipelines. What is needed twice is reported once by the check itself.
    changes = (each for walk in walks for each in changes_of(walk, walk, settings))
    return sorted(changes, key=lambda each: each.step)


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
