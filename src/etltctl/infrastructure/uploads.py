"""The files the stack points to: every job's scripts and Airflow's bundle, each under a key that tells its content.

Another content is another key, so that a change of a script is a change of the stack that a plan shows, and what
runs on AWS can be compared with what lies here.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError
from etltctl.settings.scripts import syntax_errors

if TYPE_CHECKING:
    from etltctl.settings import Settings

HASH_DIGITS = 16
NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest a zip archive can say
# All that the image of Airflow is made of.
BUNDLED = (
    "LICENSE", "README.md", "dags", "deploy/airflow", "etltctl.toml", "glue_jobs", "pyproject.toml", "requirements",
    "src",
)  # fmt: skip
NEEDED = tuple(
    f"deploy/airflow/{name}" for name in ("compose.yaml", "Dockerfile", "airflow.env.example", "new-env.sh")
)
LEFT_OUT = ("airflow.env", "__pycache__")


@dataclass(frozen=True)
class Uploads:
    """Files by the s3:// location they belong at, the hash of each job's files, and the bundle's key."""

    files: Mapping[str, bytes]
    hashes: Mapping[str, str]
    bundle_key: str


def uploads_of(settings: Settings) -> Uploads:
    """Return what the settings' jobs and DAGs are made of.

    Raises:
        ConfigurationError: A file is missing, or a script has a syntax error.
    """
    files: dict[str, bytes] = {}
    hashes: dict[str, str] = {}
    _require_syntax(settings)
    for job in settings.glue.jobs:
        found = job_files(settings, job)
        hashes[job] = _digest(found)
        folder = script_folder(settings, job, hashes[job])
        files |= {f"{folder}/{name}": content for name, content in found.items()}
    bundle = _bundle(settings.folder)
    key = f"airflow/{hashlib.sha256(bundle).hexdigest()[:HASH_DIGITS]}.tar.gz"
    return Uploads(files | {f"{settings.lake.scripts}/{key}": bundle}, hashes, key)


def _require_syntax(settings: Settings) -> None:
    problems = tuple(
        dict.fromkeys(error for job in settings.glue.jobs for error in syntax_errors(settings, job))
    )
    if problems:
        raise ConfigurationError(
            "a script cannot run; nothing was changed",
            problems=problems,
            hint="correct it, then run the same command again",
        )


def script_folder(settings: Settings, job: str, version: str) -> str:
    """Where the files of a job lie whose hash is `version`."""
    return f"{settings.lake.scripts}/glue_jobs/{job}/{version}"


def job_files(settings: Settings, job: str) -> dict[str, bytes]:
    """The job's script first, then the modules beside it in one archive, then the data files."""
    script = settings.require_script(job)
    beside = settings.extra_files(job)
    modules = [path for path in beside if path.suffix == ".py"]
    archive = {"modules.zip": _zipped(modules)} if modules else {}
    data = {path.name: path.read_bytes() for path in beside if path not in modules}
    return {script.name: script.read_bytes(), **archive, **data}


def _zipped(modules: Iterable[Path]) -> bytes:
    """The same bytes for the same modules: no times, no order of the file system."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in modules:
            member = zipfile.ZipInfo(path.name, NO_TIME)
            member.external_attr = 0o644 << 16
            archive.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _digest(files: Mapping[str, bytes]) -> str:
    told = hashlib.sha256()
    for name, content in files.items():
        told.update(f"{name}\0{len(content)}\0".encode() + content)
    return told.hexdigest()[:HASH_DIGITS]


def _bundle(folder: Path) -> bytes:
    """The same bytes for the same files, wherever and whenever they are packed."""
    if missing := [name for name in NEEDED if not (folder / name).is_file()]:
        raise ConfigurationError(
            f"the Airflow machine needs {', '.join(missing)}, and {folder} has no such file",
            hint="run this in a checkout of the project, beside its etltctl.toml",
        )
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in _bundled(folder):
            content = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = len(content)
            member.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _bundled(folder: Path) -> Iterable[Path]:
    places = [folder / name for name in BUNDLED if (folder / name).exists()]
    found = (path for place in places for path in ([place] if place.is_file() else place.rglob("*")))
    return sorted(path for path in found if path.is_file() and not set(path.parts) & set(LEFT_OUT))
