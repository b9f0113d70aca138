"""Conflicts: a live job run of another run that blocks a start, reported with the run that began it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from etltctl.errors import AlreadyRunningError, ConfigurationError, EtltctlError, command
from etltctl.glue import in_the_way
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StepRun
from etltctl.values import OVERWRITE


class FileChange(NamedTuple):
    """An act that a reader of the same files blocks, and what it does to them."""

    name: str
    verb: str


SYNC = FileChange("a sync", "replace")
CLEAR = FileChange("a clear", "delete")


def require_no_reader(step_run: StepRun) -> None:
    """Check that no Glue job reads what a sync of the step's source is about to replace.

    A sync that overwrites removes the files of the one before, and a job that reads them then fails half way. Where
    Glue does not answer, a warning says that it is not known.

    Raises:
        AlreadyRunningError: A job run still reads the files. It names the run that began it.
    """
    source = step_run.step.name
    # An append leaves the files alone that a reader has open.
    if step_run.settings.sources[source].sync_mode == OVERWRITE:
        require_no_reader_of(source, SYNC, step_run.services, step_run.warn)


def require_no_reader_of(
    source: str, change: FileChange, services: Services, warn: Callable[[str], None]
) -> None:
    """Check that no Glue job reads the bronze tables of a source.

    Args:
        source: The source.
        change: The act that would replace or delete their files.
        services: The services.
        warn: Called with a message where Glue does not answer.

    Raises:
        AlreadyRunningError: A job run still reads the files. It names the run that began it.
    """
    settings = services.settings
    changed = {f"bronze.{table}" for table in settings.stream_locations(source)}
    # A job that reads other tables only is not an obstacle.
    for job in (name for name, job in settings.glue.jobs.items() if changed & set(job.reads)):
        try:
            live = services.glue.live_runs(job)
        except ConfigurationError:
            continue  # the job is not deployed, so it has no runs
        # A sync must not fail because a check that only protects a reader could not be made.
        except EtltctlError as error:
            text = f"whether Glue job {job} still reads what {change.name} of {source} {change.verb}s is not known"
            warn(f"{text}: {error.message}")
            continue
        if live:
            message = (
                f"a run of Glue job {job} still reads what {change.name} of {source} would {change.verb}"
            )
            raise with_holder(services, in_the_way(live[0], message))


def with_holder(services: Services, error: AlreadyRunningError) -> AlreadyRunningError:
    """Return the error with the run on record that began the blocking job run; unchanged if none is known."""
    if "job" not in error.facts:
        return error
    with suppress(EtltctlError):  # the error is right without the holder, too
        live = services.glue.poll(str(error.facts["job"]), str(error.facts["run"]))
        # Every run that etltctl started carries its id. A run without one was started by hand.
        holder = live.arguments.get("--run_id", "")
        if holder and holder in services.store.run_ids():
            facts = error.facts | {"held by": f"run {holder}"}
            return AlreadyRunningError(error.message, hint=command("runs", "watch", holder), **facts)
    return error
