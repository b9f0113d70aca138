"""Next steps as this command line prints them: each command with the flags that lead it to the same lake."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from etltctl.errors import Command, NextStep, Parameter

# Options that choose an environment or a settings file: a text or command that has one leads somewhere already.
PLACES = ("--env", "--aws", "--local", "--config")
# Their short forms, which stand in a command that is the invocation itself with more words.
SHORT_PLACES = ("-e", "-c")
# The flags that are not the argument's name with hyphens.
FLAGS = {"last": "--to", "principal": "--as"}
NAMES_A_PLACE = re.compile(rf"({'|'.join(PLACES)})\b")


@dataclass(frozen=True)
class Hints:
    """The spelling of next steps.

    Attributes:
        flags: The flags of this invocation that choose its environment and its settings file.
    """

    flags: tuple[str, ...] = ()

    @classmethod
    def leading_to(cls, env: str | None, config: Path | None) -> Hints:
        """Return the hints of an invocation with these flags; None is a flag that was not given."""
        flags = (*(("--env", env) if env else ()), *(("--config", str(config)) if config else ()))
        return cls(flags)

    def spell(self, step: str | Command | Parameter | NextStep) -> str:
        """Return the step as text, with the flags in every command that needs them. Plain text stays as it is."""
        if isinstance(step, Parameter):
            return flag_of(step)
        if isinstance(step, NextStep):
            # A step that names an environment anywhere means it for all its commands.
            names_a_place = any(_names_a_place(part) for part in step.parts)
            return step.render(Hints().spell if names_a_place else self.spell)
        if isinstance(step, str) or not self.flags or step.is_whole or _names_a_place(step):
            return str(step)
        # In front: the options of the program come before the name of a command.
        return str(Command((*self.flags, *step.words)))


def flag_of(parameter: Parameter) -> str:
    """Return the flag that stands for the argument on the command line."""
    return FLAGS.get(parameter.name) or f"--{parameter.name.replace('_', '-')}"


def _names_a_place(part: str | Command | Parameter) -> bool:
    if isinstance(part, str):
        return NAMES_A_PLACE.search(part) is not None
    if isinstance(part, Parameter):
        return flag_of(part) in PLACES
    return any(word in SHORT_PLACES or word.split("=")[0] in PLACES for word in part.words)
