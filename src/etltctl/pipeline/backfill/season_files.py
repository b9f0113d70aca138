"""The seasons that bronze holds, read from the column `season` of one stream's files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError, UnverifiedError
from etltctl.pipeline.services import Services
from etltctl.s3 import is_data, settled

if TYPE_CHECKING:
    from etltctl.settings import Settings

# Streams with rows in every season with a race, the smallest first.
STREAMS = ("races", "driver_standings", "constructor_standings", "results", "qualifying")
SEASON = "season"


def stream_with_seasons(source: str, settings: Settings) -> str:
    """Return the stream of the source by which its seasons in bronze are known.

    Raises:
        ConfigurationError: The source reads none of these streams.
    """
    tables = settings.stream_locations(source)
    stream = next((name for name in STREAMS if f"{source}_{name}" in tables), None)
    if stream is None:
        raise ConfigurationError(
            f"sources.{source}.streams names none of {', '.join(STREAMS)}, so it cannot be known which seasons "
            "bronze holds",
            hint=f'add "{STREAMS[0]}" to sources.{source}.streams',
        )
    return stream


def seasons_in_bronze(source: str, services: Services) -> set[int]:
    """Return every season of which the source's files in bronze have a row, whichever sync wrote them.

    Args:
        source: The source's name.
        services: The services.

    Raises:
        UnverifiedError: A file cannot be read, or has no seasons.
    """
    stream = stream_with_seasons(source, services.settings)
    location = services.settings.stream_locations(source)[f"{source}_{stream}"]
    # A sync that ends meanwhile replaces the files between the listing and the reading.
    return settled(partial(_seasons_of, location, services), f"bronze.{source}_{stream}")


def _seasons_of(location: str, services: Services) -> set[int]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    seasons: set[int] = set()
    for file in services.s3.objects(location):
        if not is_data(location, file.key):
            continue
        body = services.s3.read(file.location, etag=file.etag)
        try:
            # On this thread: a thread of Arrow's pool that still holds an object aborts Python when it exits.
            file_read = pq.ParquetFile(pa.BufferReader(body)).read(columns=[SEASON], use_threads=False)
            column = file_read.column(SEASON)
            seasons |= {int(text) for text in pc.unique(column).to_pylist() if text is not None}
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise UnverifiedError(
                f"the seasons of {file.location} cannot be read: {error}",
                hint="a backfill must know what bronze holds; run the pipeline once, which replaces the file",
            ) from error
    return seasons
