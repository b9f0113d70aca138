"""Which pages and data are made, and whether those on disk are as the code says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from generate.command_tree import command_tree
from generate.commands import commands_block, commands_page
from generate.endpoints import endpoints_page, endpoints_table
from generate.python_api import python_page
from generate.settings_page import settings_page
from generate.words import environment_page, exit_codes_page

PROJECT = Path(__file__).parents[2]
REFERENCE = PROJECT / "docs" / "reference"
NOTE = "<!-- Made by `python docs/generate` from the code; a change here would be lost. -->\n\n"

PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "settings.md": settings_page,
    "exit-codes.md": exit_codes_page,
    "environment-variables.md": environment_page,
    "embedded-endpoints.md": endpoints_page,
    "python.md": python_page,
}
# Parts of the README between `<!-- NAME -->` and `<!-- /NAME -->`.
BLOCKS: Mapping[str, Callable[[], str]] = {
    "commands": commands_block,
    "endpoints": endpoints_table,
    "dag": lambda: f"```python\n{(PROJECT / 'dags' / 'dag_mongodb.py').read_text('utf-8')}```\n",
}


def made() -> dict[Path, str]:
    """Every generated file as it should be."""
    files = {REFERENCE / name: NOTE + page() for name, page in PAGES.items()}
    readme = PROJECT / "README.md"
    files[PROJECT / "src" / "etltctl" / "cli" / "command_tree.json"] = command_tree()
    files[readme] = with_blocks(readme.read_text("utf-8"))
    return files


def with_blocks(text: str) -> str:
    """The text with every marked part as the code says; raises ValueError if one is not marked."""
    for name, block in BLOCKS.items():
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not opening or not closing:
            raise ValueError(f"README.md has no part marked <!-- {name} -->")
        text = f"{before}{opening}{block()}{closing}{after}"
    return text


def stale() -> list[Path]:
    """The files on disk that are not as the code says."""
    return [
        path.relative_to(PROJECT)
        for path, text in made().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]


def write() -> list[Path]:
    """Writes the stale files."""
    found, files = stale(), made()
    for path in found:
        (PROJECT / path).parent.mkdir(exist_ok=True)
        (PROJECT / path).write_text(files[PROJECT / path], "utf-8")
    return found
