"""The index of the error pages: what each page quotes, so that a search in the index finds it."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "errors"


def error_texts() -> str:
    """Return each page's title as a link, in the order of the index, with the texts that the page quotes."""
    toctree = (FOLDER / "index.md").read_text("utf-8").partition("```{toctree}")[2].partition("```")[0]
    names = re.findall(r"^([a-z-]+)$", toctree, re.MULTILINE)
    return "\n".join(_entry(name) for name in names)


def _entry(name: str) -> str:
    """Return the entry of a page: its first block has the texts that etltctl prints."""
    page = (FOLDER / f"{name}.md").read_text("utf-8")
    title = page.partition("\n")[0].removeprefix("# ")
    quoted, _, rest = page.partition("```text\n")[2].partition("```")
    # Between the block and the cause stand the services' own words.
    words = re.findall(r"`([^`-][^`\n]*)`", rest.partition("**Cause.**")[0])
    return "\n".join([
        f"**[{title}]({name}.md)**\n\n```text\n{quoted}```\n",
        *([f"{', '.join(f'`{word}`' for word in words)}\n"] if words else []),
    ])  # fmt: skip
