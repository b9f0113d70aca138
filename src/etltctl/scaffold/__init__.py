"""A new project's files: settings, DAGs, a contract and tests that pass at once, written together or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from etltctl.errors import ConfigurationError, UsageError
from etltctl.settings.shipped import project_file

TEMPLATES = Path(__file__).parent / "files"
CONTRACT = "bronze.api_circuits.toml"
PROJECT_NAME = "my-lake"  # as the template calls it


def lay_out(folder: Path) -> list[Path]:
    """Writes a project's files into the folder, which is made if need be; returns them in their order.

    Raises UsageError naming every file that is already there, before anything is written, and ConfigurationError if
    the folder cannot be written; then nothing of it stays.
    """
    files = _files(folder.resolve().name)
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise UsageError(
            f"{folder} already has {', '.join(there)}; nothing was written",
            hint="name another folder: etltctl init DIR; or move those files away",
        )
    made: list[Path] = []
    try:
        for name, text in files.items():
            _write(folder / name, text, made)
    except OSError as error:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        raise ConfigurationError(
            f"cannot write {folder}: {error.strerror}; nothing was written", hint="name another folder"
        ) from error
    return [path for path in made if path.is_file()]


def _files(project: str) -> Mapping[str, str]:
    """The files by their place in the folder, and what is in them."""
    settings = (TEMPLATES / "etltctl.toml").read_text("utf-8")
    return {
        "etltctl.toml": settings.replace(f'"{PROJECT_NAME}"', f'"{_safe(project)}"', 1),
        "dags/dag_mongodb.py": project_file("dags/dag_mongodb.py").read_text("utf-8"),
        "dags/dag_api.py": project_file("dags/dag_api.py").read_text("utf-8"),
        f"contracts/{CONTRACT}": (TEMPLATES / CONTRACT).read_text("utf-8"),
        "tests/test_lake.py": (TEMPLATES / "test_lake.py").read_text("utf-8"),
        ".gitignore": (TEMPLATES / "gitignore").read_text("utf-8"),
    }


def _write(file: Path, text: str, made: list[Path]) -> None:
    """The new file; it and the folders made for it are noted, for taking them back."""
    for folder in reversed([parent for parent in file.parents if not parent.exists()]):
        folder.mkdir()
        made.append(folder)
    with file.open("x", encoding="utf-8") as stream:
        made.append(file)
        stream.write(text)


def _safe(name: str) -> str:
    """The folder's name as a TOML string holds it."""
    return "".join(letter if letter.isalnum() or letter in "-_. " else "-" for letter in name) or PROJECT_NAME
