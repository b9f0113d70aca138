"""The files that the stack points to: every job's scripts and Airflow's bundle, each under a key made of its content.

Another content is another key. So a change of a script is a change of the stack, which a plan shows, and the script on
AWS can be compared with the one here.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError
from etltctl.infrastructure.bundle import bundle_of
from etltctl.settings.scripts import syntax_errors

if TYPE_CHECKING:
    from etltctl.settings import Settings

HASH_DIGITS = 16
TEMPLATES = "cloudformation"  # the folder of templates that are too large for a call
NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest a zip archive can say


@dataclass(frozen=True)
class Uploads:
    """Files by the s3:// location they belong at, the hash of each job's files, and the bundle's key.

    A stack without a machine has no bundle, and an empty key.
    """

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
        content = job_files(settings, job)
        hashes[job] = _digest(content)
        folder = script_folder(settings, job, hashes[job])
        files |= {f"{folder}/{name}": data for name, data in content.items()}
    if not settings.infra.machine:
        return Uploads(files, hashes, "")
    bundle = bundle_of(settings)
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
    """Return where the files of a job lie, by the hash of their content."""
    return f"{settings.lake.scripts}/glue_jobs/{job}/{version}"


def job_files(settings: Settings, job: str) -> dict[str, bytes]:
    """Return a job's script first, then the modules next to it in one archive, then the data files."""
    script = settings.require_script(job)
    extra = settings.extra_files(job)
    # Glue imports modules from an archive; data files it puts into the working directory, one by one.
    modules = [path for path in extra if path.suffix == ".py"]
    archive = {"modules.zip": _zipped(modules)} if modules else {}
    data = {path.name: path.read_bytes() for path in extra if path not in modules}
    return {script.name: script.read_bytes(), **archive, **data}


def _zipped(modules: Iterable[Path]) -> bytes:
    """Return the same bytes for the same modules: no times, no order of the file system."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in modules:
            member = zipfile.ZipInfo(path.name, NO_TIME)
            # The mode of a regular file in the high half, as Unix tools of zip write it.
            member.external_attr = 0o644 << 16
            archive.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        # The name and the length stand first: two files cannot be cut so that they look like two others.
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:HASH_DIGITS]
