"""The plan of a backfill: its chunks, or the reason why the range or the pipeline has none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError, NextStep, UsageError, command
from etltctl.pipeline.backfill.model import BackfillOptions
from etltctl.pipeline.backfill.season_files import stream_with_seasons
from etltctl.pipeline.kinds import kind_of, steps
from etltctl.pipeline.model import Step
from etltctl.values import OVERWRITE, years_text

if TYPE_CHECKING:
    from etltctl.settings import Settings

MOST_CHUNKS = 200  # each chunk is a whole run of the pipeline, which takes minutes
NO_RANGE = (
    "source {source} has no seasons: Airbyte's MongoDB connector reads whole collections and cannot read a range of "
    "times"
)
NO_SEASONS = "source {source} has no seasons: only a source of kind http has them"


def sync_of(pipeline: str, settings: Settings) -> Step:
    """Return the sync of the pipeline whose source has seasons.

    Args:
        pipeline: The pipeline's name.
        settings: The settings.

    Raises:
        UsageError: The pipeline has no such sync, or more than one sync.
        ConfigurationError: The source names no years, or its syncs do not overwrite.
    """
    from etltctl.settings.sources import HttpSource, MongodbSource

    run = NextStep("read all of it: ", command("run", pipeline))
    syncs = [step for step in steps(pipeline, settings) if kind_of(step).reads_a_source]
    if len(syncs) != 1:
        raise UsageError(
            f"pipeline {pipeline} has {len(syncs)} syncs, and a backfill needs exactly one", hint=run
        )
    source = settings.sources[syncs[0].name]
    if not isinstance(source, HttpSource):
        text = NO_RANGE if isinstance(source, MongodbSource) else NO_SEASONS
        raise UsageError(text.format(source=syncs[0].name), hint=run)
    name = f"sources.{syncs[0].name}"
    if source.seasons == "all":
        raise ConfigurationError(
            f'{name}.seasons is "all" ({settings.place_of("sources", syncs[0].name, "seasons")}), so it is not known '
            "which seasons there are to backfill",
            hint=f"name the years, such as {name}.seasons = [2023, 2024]",
        )
    # Files of earlier syncs stay there, and each chunk reads earlier seasons again: their rows would be doubled.
    if source.sync_mode != OVERWRITE:
        raise ConfigurationError(
            f'{name}.sync_mode is "{source.sync_mode}": each chunk reads the earlier seasons again, and a sync '
            "that appends would land them twice",
            hint=f'set {name}.sync_mode = "{OVERWRITE}"',
        )
    return syncs[0]


def require_backfillable(
    pipeline: str, settings: Settings, options: BackfillOptions
) -> tuple[Step, list[int]]:
    """Check all that is known without a service, and return the sync and the seasons of the range.

    Args:
        pipeline: The pipeline's name.
        settings: The settings.
        options: The caller's options.

    Raises:
        UsageError: The range or the pipeline cannot be backfilled.
        ConfigurationError: The settings do not allow it.
    """
    sync = sync_of(pipeline, settings)
    seasons = seasons_of_range(sync.name, options.start, options.end, options.chunk, settings)
    stream_with_seasons(sync.name, settings)
    return sync, seasons


def seasons_of_range(
    source: str, start: int | str, end: int | str, size: int, settings: Settings
) -> list[int]:
    """Return the seasons of a source from `start` to `end`, both included.

    Args:
        source: The source's name.
        start: The first season.
        end: The last season.
        size: The seasons of a chunk.
        settings: The settings, which name the source's seasons.

    Raises:
        UsageError: The range has no seasons of the source, ends before it starts, or has too many chunks.
    """
    first, last = _season(source, start), _season(source, end)
    if first > last:
        raise UsageError(f"the range starts at {first} and ends at {last}, which is earlier")
    # Before the list is made: a range of a billion years must not fill the memory.
    chunks = -(-(last - first + 1) // size)
    if chunks > MOST_CHUNKS:
        raise UsageError(
            f"{first} to {last} would be {chunks:,} chunks, and a backfill has at most {MOST_CHUNKS}",
            hint="name a shorter range, or more seasons a chunk",
        )
    declared = declared_seasons(source, settings)
    outside = [season for season in dict.fromkeys((first, last)) if season not in declared]
    if outside:
        raise UsageError(
            f"source {source} has no season {' and no season '.join(map(str, outside))}: "
            f"sources.{source}.seasons names {years_text(declared)}",
            hint="name a range within them, or add the seasons to the settings: without that the next sync of "
            "the pipeline would not read them and so take them out of bronze again",
        )
    return [season for season in declared if first <= season <= last]


def declared_seasons(source: str, settings: Settings) -> list[int]:
    """Return the seasons that the settings name for a source, oldest first; none if they name no years."""
    return sorted(settings.sources[source].named_seasons)


def require_declared(source: str, held: Sequence[int], settings: Settings) -> None:
    """Check that the settings name every season that bronze holds.

    Raises:
        ConfigurationError: They do not, so that the next sync of the pipeline would take one out of bronze.
    """
    declared = declared_seasons(source, settings)
    strange = [season for season in held if season not in declared]
    if strange:
        raise ConfigurationError(
            f"bronze holds seasons that sources.{source}.seasons does not name: {years_text(strange)}; the next sync "
            "of the pipeline would take them out again, so nothing was started",
            hint="add them to the settings",
        )


def _season(source: str, text: int | str) -> int:
    if not re.fullmatch(r"\d{1,9}", str(text), re.ASCII):
        raise UsageError(
            f"{str(text)!r} is not a season of source {source}",
            hint="its ranges are of seasons, which are years such as 2019; dates and times have no meaning there",
        )
    return int(text)
