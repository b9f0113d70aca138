"""A full sync: Airbyte clears a source, so its files in bronze and its states go, and the sync reads everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from logging import getLogger
from typing import TYPE_CHECKING

from etltctl.airbyte.problems import TRY_AGAIN_LATER
from etltctl.errors import (
    AlreadyRunningError,
    Command,
    DetachedError,
    EtltctlError,
    NextStep,
    OutcomeUnknownError,
    ServiceError,
    UsageError,
    command,
)
from etltctl.ledger import read_events
from etltctl.pipeline.conflicts import CLEAR, require_no_reader_of
from etltctl.pipeline.failures import require_success
from etltctl.pipeline.model import StepResult
from etltctl.pipeline.options import RunOptions
from etltctl.pipeline.preflight import require_ready
from etltctl.pipeline.run_ids import RunId
from etltctl.pipeline.runner import check_exists, run_alone
from etltctl.pipeline.services import Services
from etltctl.pipeline.sync_step import SyncRun, SyncStep, connection_of
from etltctl.runs import SyncJob
from etltctl.s3 import is_data
from etltctl.values import OVERWRITE

if TYPE_CHECKING:
    from etltctl.settings import Settings

# The name that every version of Airbyte knows. Newer ones also call it a clear, and make the same job of both.
RESET = "reset"


log = getLogger(__name__)


def sync_fully(
    source: str,
    settings: Settings,
    options: RunOptions | None = None,
    warn: Callable[[str], None] = log.warning,
) -> StepResult:
    """Clear a source and sync it, so that the sync reads everything. It asks no one.

    Args:
        source: The source's name.
        settings: The settings.
        options: The options of the sync.
        warn: As for `clear_source`.

    Raises:
        UsageError: There is no such source, or the error of `require_clearable`.
        ConfigurationError: The sync would fail with these settings. Nothing was deleted.
        EtltctlError: The errors of `clear_source` and of the sync.
    """
    step, options = SyncStep.step(source), options or RunOptions()
    check_exists(step, settings)
    require_clearable(source, settings, options)
    # Before the clear: a sync that cannot start would leave bronze empty.
    require_ready(settings, [step])
    clear_source(source, settings, warn)
    try:
        # On record, so that `why` does not say later that bronze still holds the last good sync.
        return run_alone(step, settings, replace(options, cleared=source))
    except DetachedError:
        raise
    except EtltctlError as error:
        # The step's own advice says that bronze keeps the last good sync, which the clear has deleted.
        error.next_step = NextStep(
            f"{source} was cleared, so bronze holds no rows of it or only those of this sync; silver and gold are as "
            "they were. Fix the cause, then: ",
            command("sync", source),
        )
        raise


def require_clearable(source: str, settings: Settings, options: RunOptions) -> None:
    """Check that a clear of the source before a sync makes sense.

    Args:
        source: The source, which exists.
        settings: The settings.
        options: The options of the sync after it. A run on record, unless it starts fresh, may reuse its sync.

    Raises:
        UsageError: Every sync of the source reads everything anyway, or no new sync would follow.
    """
    if _is_resumed(settings, options):
        raise UsageError(
            "a full sync is a new one, and a run was named to resume: if its sync has succeeded, nothing would be "
            "read again",
            hint=NextStep("leave out the run id: ", command("sync", source, "--full")),
        )
    if settings.sources[source].sync_mode == OVERWRITE:
        raise UsageError(
            f'sources.{source}.sync_mode is "{OVERWRITE}": every sync reads everything, so there is nothing to reset',
            hint=command("sync", source),
        )


def clear_source(source: str, settings: Settings, warn: Callable[[str], None]) -> SyncJob:
    """Let Airbyte delete the files and states of a source's streams, and wait for it.

    The published versions of silver and gold stay as they are. A clear that is repeated does no harm.

    Args:
        source: The source, which exists.
        settings: The settings.
        warn: Called with a message where it is not known whether a Glue job reads the files, or files are left.

    Returns:
        The job of the clear.

    Raises:
        AlreadyRunningError: A job of the connection runs, or a Glue job reads the files. Nothing was deleted.
        OutcomeUnknownError: The answer to the start was lost.
        EtltctlError: The clear failed.
    """
    services = Services(settings)
    require_no_reader_of(source, CLEAR, services, warn)
    again = command("sync", source, "--full")
    try:
        started = services.airbyte.start(connection_of(source, services), source, RESET)
    except ServiceError as error:
        raise _why_not_started(source, error, again) from error
    run = SyncRun(services, source, started.id)
    # How long syncs took says nothing of how long a clear takes.
    ended = replace(run.waiter(), expected=()).wait(started, run.poll)
    require_success(
        ended,
        hint=NextStep(
            "bronze may hold less than before; silver and gold are as they were. Fix the cause, then: ", again
        ),
    )
    if left := _files_left(source, services):
        # The parts of an S3 destination that no longer have the name that Airbyte gives them, for example.
        warn(
            f"Airbyte has cleared {source}, and bronze still holds {left:,} files of it. The shipped jobs read the "
            "newest generation alone; a job of your own has to as well, or the files have to be deleted by hand"
        )
    return ended


def _is_resumed(settings: Settings, options: RunOptions) -> bool:
    """Return whether the sync is that of a run on record, which may have succeeded."""
    if options.fresh or not options.run_id:
        return False
    return bool(read_events(Services(settings).store, RunId(options.run_id).safe))


def _files_left(source: str, services: Services) -> int:
    locations = services.settings.stream_locations(source)
    return sum(
        is_data(location, file.key)
        for location in locations.values()
        for file in services.s3.objects(location)
    )


def _why_not_started(source: str, error: ServiceError, again: Command) -> EtltctlError:
    if error.is_open:
        return OutcomeUnknownError(
            f"it is not known whether Airbyte clears {source}: {error.message}",
            hint=NextStep("a second clear does no harm: ", again),
        )
    if error.code == TRY_AGAIN_LATER:
        return AlreadyRunningError(
            f"a job of the connection of {source} runs already; nothing was deleted",
            hint=NextStep("wait for its end, then: ", again),
        )
    return error
