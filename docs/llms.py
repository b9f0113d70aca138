"""llms.txt: the pages of the site as a list of links, to their Markdown where they have it, for programs that read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent
# The title of each folder's section, in the order of the file.
SECTIONS = {
    "tutorial": "Tutorial",
    "how-to": "How to",
    "errors": "Errors",
    "causes": "Causes",
    ".": "Topics",
    "reference": "Reference",
    "explanation": "Explanation",
    "decisions": "Decisions",
}


def llms_text() -> str:
    """Return the text of llms.txt: title, summary, then every page under its section."""
    title, summary = title_and_summary(DOCS / "index.md")
    parts = [f"# {title}", f"> {summary}"]
    for folder, heading in SECTIONS.items():
        lines = [_line(page) for page in pages() if page.parent.relative_to(DOCS).as_posix() == folder]
        parts += [f"## {heading}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def pages() -> Iterator[Path]:
    """Yield the pages of the site, without its front page."""
    yield from (page for page in sorted(DOCS.rglob("*.md")) if page != DOCS / "index.md")


def title_and_summary(page: Path) -> tuple[str, str]:
    """Return a page's heading and the first sentence of its first paragraph; empty if it begins otherwise."""
    text = re.sub(r"<!--.*?-->|```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL).strip()
    title, _, rest = text.removeprefix("# ").partition("\n")
    # The first paragraph of an error's page is the text of the error. The cause says more.
    cause = rest.partition("**Cause.** ")[2]
    paragraph = re.split(r"\n\s*\n", (cause or rest).strip())[0].replace("\n", " ")
    if re.match(r"[|#!>-]", paragraph):
        return title, ""
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)|\*\*", r"\1", paragraph)
    return title, re.split(r"(?<=[.!?]) ", plain)[0]


def _line(page: Path) -> str:
    title, summary = title_and_summary(page)
    return f"- [{title}]({_target(page)})" + (f": {summary}" if summary else "")


def _target(page: Path) -> str:
    """Return where a program reads the page: its Markdown, or the HTML if Sphinx fills it with docstrings."""
    name = page.relative_to(DOCS)
    is_filled = "```{eval-rst}" in page.read_text("utf-8")
    return name.with_suffix(".html").as_posix() if is_filled else f"_sources/{name.as_posix()}"
