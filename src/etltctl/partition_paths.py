"""Partitions in the paths of files, as Hive and Spark write them: `name=value`, with some characters escaped."""

from __future__ import annotations

import re

DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__"  # stands for null, and for an empty text
ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")


def unescaped(text: str) -> str:
    """Return the text of a path with every `%XX` replaced, as Hive does.

    Hive takes each code for one character of its own and not for a byte of UTF-8. It leaves any other `%` as it is.
    """
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def partition_of(path: str) -> list[tuple[str, str]]:
    """Return the names and raw values of the partition columns in a path of folders, in their order.

    Args:
        path: What lies between the table's location and the file's name, such as `year=2024/city=a%3Ab`.
    """
    parts = (folder.partition("=") for folder in path.split("/"))
    return [(name, value) for name, mark, value in parts if mark]
