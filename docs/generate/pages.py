"""The files with parts that the code fills, and whether those on disk are current."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from generate.causes import cause_pages
from generate.columns import columns_reference
from generate.command_tree import command_tree
from generate.commands import commands_block, commands_reference
from generate.endpoints import endpoints_table, operations_list, services_reference
from generate.error_texts import error_texts
from generate.exit_codes import error_tree, exit_codes_table
from generate.measured import clients_table, sql_table
from generate.schemas import schema_files
from generate.settings_page import settings_reference

PROJECT = Path(__file__).parents[2]
REFERENCE = Path("docs", "reference")

# Parts of a page between `<!-- NAME -->` and `<!-- /NAME -->`.
PARTS: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    Path("README.md"): {
        "commands": commands_block,
        "endpoints": endpoints_table,
        "dag": lambda: f"```python\n{(PROJECT / 'dags' / 'dag_mongodb.py').read_text('utf-8')}```\n",
    },
    Path("docs", "errors", "index.md"): {"texts": error_texts},
    REFERENCE / "columns.md": {"columns": columns_reference},
    REFERENCE / "commands.md": {"commands": commands_reference},
    REFERENCE / "settings.md": {"settings": settings_reference},
    REFERENCE / "exit-codes.md": {"codes": exit_codes_table, "errors": error_tree},
    REFERENCE / "embedded-endpoints.md": {"services": services_reference, "operations": operations_list},
}

# Parts whose text takes seconds to measure. The tests that measure the same compare the page with it.
MEASURED: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    REFERENCE / "embedded-endpoints.md": {"sql": sql_table, "clients": clients_table},
}


def pages() -> dict[Path, str]:
    """Return the current text of every file that the code fills, wholly or in part; measured parts stay as they are."""
    files = {page: with_parts(page, (PROJECT / page).read_text("utf-8")) for page in PARTS}
    files[Path("src", "etltctl", "cli", "command_tree.json")] = command_tree()
    return files | cause_pages() | schema_files()


def with_parts(page: Path, text: str, parts: Mapping[Path, Mapping[str, Callable[[], str]]] = PARTS) -> str:
    """Return the text of a page with every marked part from the code.

    Raises:
        ValueError: A part is not marked.
    """
    for name, part in parts[page].items():
        # A part keeps its marks, so that the next run finds it again.
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not opening or not closing:
            raise ValueError(f"{page} has no part marked <!-- {name} -->")
        text = f"{before}{opening}{part()}{closing}{after}"
    return text


def stale() -> list[Path]:
    """Return the files on disk that are not current."""
    return [
        path
        for path, text in pages().items()
        if not (PROJECT / path).exists() or (PROJECT / path).read_text("utf-8") != text
    ]


def write() -> list[Path]:
    """Write the files that are not current, with the measured parts."""
    files = pages()
    for page in MEASURED:
        files[page] = with_parts(page, files[page], MEASURED)
    old = {path: (PROJECT / path).read_text("utf-8") if (PROJECT / path).exists() else None for path in files}
    changed = [path for path, text in files.items() if text != old[path]]
    for path in changed:
        (PROJECT / path).parent.mkdir(exist_ok=True)
        (PROJECT / path).write_text(files[path], "utf-8")
    return changed
