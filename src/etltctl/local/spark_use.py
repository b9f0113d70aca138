"""Whether a Glue job will need Spark, as far as the imports of its files say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile, ZipFile

# `awsglue.utils` alone reads arguments; every other module of awsglue stands on Spark.
IMPORTS_SPARK = re.compile(
    rb"^[ \t]*(?:from|import)[ \t]+(?:pyspark\b|awsglue\.(?!utils\b)|awsglue[ \t]+import[ \t]+(?!utils\b))",
    re.MULTILINE,
)
ARCHIVES = frozenset({".zip", ".whl", ".egg"})


def uses_spark(files: Iterable[Path]) -> bool:
    """Return whether one of a job's files imports Spark.

    A hint only: it decides whether a JVM is started before the script asks for one. A script that imports Spark in
    another way still gets its JVM.

    Args:
        files: The script and its extra files. A file that cannot be read counts as one without Spark.
    """
    return any(IMPORTS_SPARK.search(source) for file in files for source in _sources(file))


def _sources(file: Path) -> Iterator[bytes]:
    with suppress(OSError, BadZipFile):
        if file.suffix == ".py":
            yield file.read_bytes()
        elif file.suffix in ARCHIVES:
            with ZipFile(file) as archive:
                yield from (archive.read(name) for name in archive.namelist() if name.endswith(".py"))
