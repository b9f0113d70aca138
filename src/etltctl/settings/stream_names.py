"""What a stream of a source is called in bronze: its folder, and its part of a table's name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable


def folder_of_stream(name: str) -> str:
    """Return the folder of a stream or a namespace in bronze, as Airbyte's S3 destination writes it.

    Args:
        name: The name in the source.
    """
    return re.sub(r"[^A-Za-z0-9!_.*')(-]", "_", unicodedata.normalize("NFKD", name))


def table_of_stream(stream: str) -> str:
    """Return the part of a bronze table's name that stands for a stream of any name.

    Args:
        stream: The stream's name in the source.
    """
    return re.sub(r"[^a-z0-9_]+", "_", stream.lower())


def table_of_collection(collection: str) -> str:
    """Return the part of a bronze table's name that stands for a collection of MongoDB.

    A name that can be a folder is kept as it is. Others, such as `order items`, become a name as those of streams do.

    Args:
        collection: The collection's name.
    """
    is_folder = folder_of_stream(collection) == collection
    return collection if is_folder else table_of_stream(collection)


def require_distinct(names: Iterable[str], table_of: Callable[[str], str], what: str) -> None:
    """Check that no two streams become one table or one folder of bronze.

    Args:
        names: The names of the streams.
        table_of: Returns the table of a name.
        what: What the error calls the streams.

    Raises:
        ValueError: Two of them do.
    """
    by_place: dict[tuple[str, str], str] = {}
    for name in names:
        for kind, place in (("table", table_of(name)), ("folder", folder_of_stream(name))):
            other = by_place.setdefault((kind, place), name)
            if other != name:
                raise ValueError(f"has two {what} that become one bronze {kind}: {other} and {name}")
