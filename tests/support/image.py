"""The files of the Airflow image without Docker: those that the Dockerfile's COPY lines copy from a build context."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from uv import find_uv_bin

DOCKERFILE = "deploy/airflow/Dockerfile"


def copy_lines(context: Path) -> Iterator[tuple[list[str], str]]:
    """Yield the sources and the destination of each COPY line."""
    for line in (context / DOCKERFILE).read_text().replace("\\\n", " ").splitlines():
        if line.startswith("COPY "):
            words = [word for word in line.split()[1:] if not word.startswith("--")]
            yield words[:-1], words[-1]


def copied(context: Path, root: Path) -> Path:
    """Copy below `root` as the COPY lines say. Like Docker, raise an error if a plain source does not exist."""
    for sources, destination in copy_lines(context):
        target = root / destination.lstrip("/")
        for source in sources:
            is_pattern = any(sign in source for sign in "*?[")
            matches = sorted(context.glob(source)) if is_pattern else [context / source]
            for match in matches:
                if match.is_dir():  # Docker copies a folder's content, not the folder
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(match, target, dirs_exist_ok=True, ignore=ignored)
                else:
                    is_folder = destination.endswith("/")
                    file = target / match.name if is_folder else target
                    file.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(match, file)
    return root


def unpacked(bundle: bytes, folder: Path) -> Path:
    """Unpack the bundle as the machine does."""
    with tarfile.open(fileobj=BytesIO(bundle), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def wheel_names(project: Path, folder: Path) -> set[str]:
    """Build the project's wheel with the installed backend, as the image does, and return the names in it."""
    words = [find_uv_bin(), "build", "--wheel", "--no-build-isolation", "--offline", "--out-dir", str(folder)]
    done = subprocess.run(
        [*words, "--python", sys.executable, str(project)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())
