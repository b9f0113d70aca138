"""One cause of the catalogue, for a person and as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from etltctl.causes import Cause
from etltctl.errors import NextStep
from etltctl.explanation.text import ADVICE

SCHEMA = "etltctl.why-code/1"


def code_document(cause: Cause, spell: Callable[[NextStep], str] = str) -> dict[str, Any]:
    """Return the cause as data.

    Args:
        cause: The cause.
        spell: Spells a next step.
    """
    return {
        "schema": SCHEMA,
        "code": cause.code,
        "title": cause.title,
        "sentence": cause.sentence,
        "data": cause.data,
        "fix": spell(cause.fix),
        "retry": str(cause.retry),
        "exit_code": int(cause.exit_code),
        "settings": list(cause.settings),
        "searched": list(cause.searched),
        "page": f"docs/causes/{cause.code}.md",
    }


def code_text(cause: Cause, spell: Callable[[NextStep], str] = str) -> str:
    """Return the cause for a person.

    Args:
        cause: The cause.
        spell: Spells a next step.
    """
    lines = [
        f"{cause.code}  {cause.title}",
        "",
        cause.sentence,
        f"Data      {cause.data}",
        f"Fix       {spell(cause.fix)}",
        f"Retry     {ADVICE[cause.retry]}",
        f"Exit code {int(cause.exit_code)}",
    ]
    if cause.settings:
        lines.append(f"Settings  {', '.join(cause.settings)}")
    if cause.searched:
        lines.append(f"Texts     {', '.join(cause.searched)}")
    return "\n".join(lines)
