"""A guess from its imports whether a Glue job needs Spark."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from etltctl.settings.job_modules import imported_modules

# `awsglue.utils` alone reads arguments; every other module of awsglue stands on Spark.
IMPORTS_SPARK = re.compile(
    rb"^[ \t]*(?:from|import)[ \t]+(?:pyspark\b|awsglue\.(?!utils\b)|awsglue[ \t]+import[ \t]+(?!utils\b))",
    re.MULTILINE,
)
ARCHIVES = frozenset({".zip", ".whl", ".egg"})


def uses_spark(script: Path, others: Iterable[Path]) -> bool:
    """Return whether a script imports Spark, itself, by a module next to it, or by any file of an archive.

    A hint only: it decides whether a JVM is started before the script asks for one. A script that imports Spark in
    another way still gets its JVM.

    Args:
        script: The job's script.
        others: The job's extra files. A file that cannot be read counts as one without Spark.
    """
    files = list(others)
    modules = {file.stem: file for file in files if file.suffix == ".py"}
    reached = [script, *(file for file in files if file.suffix in ARCHIVES)]
    for file in reached:  # grows while it is walked
        for source in _sources(file):
            if IMPORTS_SPARK.search(source):
                return True
            reached += [modules.pop(name) for name in imported_modules(source) if name in modules]
    return False


def _sources(file: Path) -> Iterator[bytes]:
    with suppress(OSError, EOFError, RuntimeError, BadZipFile, zlib.error):  # damaged, encrypted, or gone
        if file.suffix == ".py":
            yield file.read_bytes()
        elif file.suffix in ARCHIVES:
            with ZipFile(file) as archive:
                yield from (archive.read(name) for name in archive.namelist() if name.endswith(".py"))
