"""The bundle that the Airflow machine runs: the checkout's files, as its Dockerfile needs them."""

from __future__ import annotations

import gzip
import io
import json
import posixpath
import re
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from etltctl.contracts import ContractBook
from etltctl.errors import ConfigurationError
from etltctl.infrastructure.names import Names
from etltctl.settings.environments import PREFIX

if TYPE_CHECKING:
    from etltctl.settings import Settings

DOCKERFILE = "deploy/airflow/Dockerfile"
# Everything that the image is made of. A test builds etltctl from the Dockerfile's COPY lines on the unpacked bundle.
BUNDLED = (
    "LICENSE", "README.md", "connectors", "dags", "deploy/airflow", "deploy/aws", "etltctl.toml", "glue_jobs",
    "pyproject.toml", "requirements", "sql", "src",
)  # fmt: skip
NEEDED = tuple(
    f"deploy/airflow/{name}"
    for name in ("compose.yaml", "Dockerfile", "airflow.env.example", "new-env.sh", "start.sh")
)
STACK_ENV = "deploy/airflow/stack.env"
LEFT_OUT = ("airflow.env", "stack.env", "__pycache__")
CONTRACTS = "contracts"
# Docker reads an instruction's name in any case.
COPY_LINE = re.compile(r"^[ \t]*COPY[ \t]+((?:--\S+[ \t]+)*)(.+)$", re.IGNORECASE | re.MULTILINE)
AIRBYTE_PARTS = ("client_id", "client_secret")


def bundle_of(settings: Settings) -> bytes:
    """Pack the checkout for the Airflow machine: the same bytes for the same files.

    The contracts go in as `contracts/`, wherever the settings keep them: the image reads them there. What the settings
    say of the containers' environment goes in as `stack.env`, so that another source is another bundle.

    Returns:
        A tar archive, compressed with gzip.

    Raises:
        ConfigurationError: The checkout lacks a file that the machine or its image needs, or a file cannot be read,
            or a contract is not one.
    """
    files = {path.relative_to(settings.folder).as_posix(): path for path in _bundled(settings.folder)}
    if settings.file is not None:  # whatever it is called here, the image knows one name
        files["etltctl.toml"] = settings.file
    files |= {f"{CONTRACTS}/{path.name}": path for path in _contracts(settings.contracts_folder)}
    _require_whole(settings.folder, files)
    _require_queries(settings, files)
    contents = {name: (_content(path), path.stat().st_mode & 0o100) for name, path in files.items()}
    contents[STACK_ENV] = ("\n".join([*environment(settings), ""]).encode(), 0)
    packed = io.BytesIO()
    with (
        # No time in gzip's header, and sorted names: the bytes depend on the files alone, and so does their key.
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, (content, is_program) in sorted(contents.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            # Only the bit that makes a program counts: the umask of a checkout must not make another bundle.
            member.mode = 0o755 if is_program else 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def environment(settings: Settings) -> list[str]:
    """Return the lines of the containers' environment that follow from the settings.

    A value that is read from an environment variable comes from the secret instead: the machine has no such variable.

    Raises:
        ConfigurationError: No variable can be named after a source.
    """
    secret = f"secretsmanager:{Names(settings).airbyte_secret}"
    values = {f"AIRBYTE__{part.upper()}": (part, getattr(settings.airbyte, part)) for part in AIRBYTE_PARTS}
    for name, source in settings.sources.items():
        if source.connection_id.startswith("env:"):
            _require_variable(name, secret)
        values[f"SOURCES__{name.upper()}__CONNECTION_ID"] = (f"{name}_connection_id", source.connection_id)
    return [
        f"ETLTCTL_ENV={settings.env}",
        f"{PREFIX}AWS__PROFILE=",  # the machine's role is the credential
        *(
            f"{PREFIX}{variable}={secret}#{key}"
            for variable, (key, value) in values.items()
            if value.startswith("env:")
        ),
    ]


def _require_variable(source: str, secret: str) -> None:
    """Raise ConfigurationError unless an environment variable can be named after the source.

    The settings read a variable's name in small letters, and `__` between the keys.
    """
    if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", source):
        return
    key = f"sources.{source}.connection_id"
    raise ConfigurationError(
        f"the Airflow machine cannot be given {key}: no environment variable can be named after the source "
        f"{source}; nothing was changed",
        hint=f'name the source in small letters, digits and single _, or set {key} = "{secret}#KEY"',
    )


def copied_into_image(dockerfile: str) -> list[str]:
    """Return the sources of the Dockerfile's COPY lines: files, folders and patterns of the checkout.

    A path is returned as the bundle names it: `./src/` is `src`. What is copied from another stage or from text in the
    Dockerfile itself is left out, as the checkout does not hold it.
    """
    copies = COPY_LINE.findall(re.sub(r"\\[ \t]*\r?\n", " ", dockerfile))
    sources = (source for flags, paths in copies if "--from=" not in flags for source in _paths(paths)[:-1])
    return [posixpath.normpath(source).lstrip("/") for source in sources if not source.startswith("<<")]


def _paths(text: str) -> list[str]:
    """Return the paths of a COPY line. Docker takes for words what is not a JSON list of texts."""
    try:
        paths = json.loads(text)
    except ValueError:
        return text.split()
    is_list = isinstance(paths, list) and all(isinstance(path, str) for path in paths)
    return paths if is_list else text.split()


def _contracts(folder: Path) -> list[Path]:
    """Return the files of the contracts.

    Raises:
        ConfigurationError: One is not a contract: on the machine, every publication of its table would fail.
    """
    files, book = sorted(folder.glob("*.toml")), ContractBook(folder)
    for file in files:
        if book.find(file.stem) is None:
            raise ConfigurationError(
                f"the contract {file} cannot be read: it is a link to a file that does not exist; "
                "nothing was changed",
                hint="delete the link, or restore its file; then run the same command again",
            )
    return files


def _content(file: Path) -> bytes:
    """Return the file's bytes; raises ConfigurationError if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error)) from error


def _unreadable(file: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{file} cannot be read: {reason}; nothing was changed",
        hint="correct or remove it, then run the same command again",
    )


def _text(file: Path) -> str:
    try:
        return _content(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unreadable(file, f"it is not UTF-8 at byte {error.start}; save it as UTF-8") from error


def _require_whole(folder: Path, files: Mapping[str, Path]) -> None:
    """Raise ConfigurationError if the image needs a file that is missing: the machine would retry for ever."""
    missing = [name for name in NEEDED if name not in files]
    dockerfile = _text(files[DOCKERFILE]) if DOCKERFILE in files else ""
    for source in copied_into_image(dockerfile):
        is_there = source in (".", "") or any(
            name == source or name.startswith(f"{source}/") for name in files
        )
        if not is_there and not _is_pattern(source):
            missing.append(source)
    if missing:
        raise ConfigurationError(
            f"the Airflow machine needs {', '.join(missing)}, and {folder} has no such file; nothing was changed: "
            "its image is built from etltctl's own sources",
            hint="run this in a checkout of etltctl with your etltctl.toml, dags and glue_jobs in it; "
            "or set infra.machine = false for a stack without a machine, which needs no checkout",
        )


def _require_queries(settings: Settings, files: Mapping[str, Path]) -> None:
    """Raise ConfigurationError if the machine would lack the file of a query, so that its step would fail there."""
    for name, sql in settings.sql.items():
        if posixpath.normpath(sql.file) not in files:
            raise ConfigurationError(
                f"the Airflow machine needs {sql.file} of sql.{name}, and only files in {settings.folder / 'sql'} go "
                "there; nothing was changed",
                hint=f'move the file there and write sql.{name}.file = "sql/{posixpath.basename(sql.file)}"',
            )


def _is_pattern(source: str) -> bool:
    """Return whether the source is a pattern. Docker accepts a pattern that matches no file."""
    return any(sign in source for sign in "*?[")


def _bundled(folder: Path) -> Iterable[Path]:
    places = [folder / name for name in BUNDLED if (folder / name).exists()]
    files = (path for place in places for path in ([place] if place.is_file() else place.rglob("*")))
    left_out = set(LEFT_OUT)
    return sorted(p for p in files if p.is_file() and not left_out & set(p.relative_to(folder).parts))
