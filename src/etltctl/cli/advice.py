"""Commands that are told to the user lead to where the command that tells them was led."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from pathlib import Path

NAMES_A_PLACE = re.compile(r"--(env|aws|local|config)\b")


def flags_of(env: str | None, config: Path | None) -> str:
    """The flags that lead to the same environment and settings file; empty where none were given."""
    given = [*(["--env", env] if env else []), *(["--config", str(config)] if config else [])]
    return shlex.join(given)


def addressed(text: str, flags: str, commands: Collection[str]) -> str:
    """The text with these flags in every `etltctl COMMAND` in it; as it is if it names a place itself."""
    if not flags or NAMES_A_PLACE.search(text):
        return text
    known = "|".join(sorted(map(re.escape, commands), key=len, reverse=True))
    return re.sub(rf"\betltctl (?=(?:{known})(?![\w-]))", lambda _: f"etltctl {flags} ", text)
