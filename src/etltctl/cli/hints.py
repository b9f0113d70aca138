"""Next steps as this command line prints them: each command with the flags that lead it to the same lake."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from etltctl.errors import Command, NextStep

# Options that choose an environment or a settings file: a text or command that has one leads somewhere already.
PLACES = ("--env", "--aws", "--local", "--config")
NAMES_A_PLACE = re.compile(rf"({'|'.join(PLACES)})\b")


@dataclass(frozen=True)
class Hints:
    """The spelling of next steps.

    Attributes:
        flags: The flags of this invocation that choose its environment and its settings file.
        commands: The names of etltctl's commands, which tell a command within a text from the program's mere name.
    """

    flags: tuple[str, ...] = ()
    commands: Collection[str] = ()

    @classmethod
    def leading_to(cls, env: str | None, config: Path | None, commands: Collection[str]) -> Hints:
        """Return the hints of an invocation with these flags; None is a flag that was not given."""
        flags = (*(("--env", env) if env else ()), *(("--config", str(config)) if config else ()))
        return cls(flags, commands)

    def spell(self, step: str | Command | NextStep) -> str:
        """Return the step as text, with the flags in every command that needs them."""
        if isinstance(step, NextStep):
            names_a_place = any(_names_a_place(part) for part in step.parts)
            return str(step) if names_a_place else step.render(self.spell)
        if not self.flags or _names_a_place(step):
            return str(step)
        return self._in_text(step) if isinstance(step, str) else str(Command((*self.flags, *step.words)))

    def _in_text(self, text: str) -> str:
        """Put the flags into the commands of a text. Hints that are no `NextStep` yet are spelled as shell text."""
        names = "|".join(sorted(map(re.escape, self.commands), key=len, reverse=True))
        flags = shlex.join(self.flags)
        return re.sub(rf"\betltctl (?=(?:{names})(?![\w-]))", lambda _: f"etltctl {flags} ", text)


def _names_a_place(part: str | Command) -> bool:
    if isinstance(part, str):
        return NAMES_A_PLACE.search(part) is not None
    return any(word.split("=")[0] in PLACES for word in part.words)
