"""Next steps: what a person does after an error, with etltctl's commands as values and not as text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

IN_BACKQUOTES = re.compile(r"(?<=`)etltctl ([^`]+)(?=`)")


@dataclass(frozen=True)
class Command:
    """A command of etltctl in a next step: its words after `etltctl`, with its options.

    It names no environment and no settings file. The front door that prints it adds the flags that it needs.

    Attributes:
        words: The words after `etltctl`.
        is_whole: Whether the words have the user's own flags already, so that none is added.
    """

    words: tuple[str, ...]
    is_whole: bool = False

    def __str__(self) -> str:
        """Return the command as a shell reads it."""
        return shlex.join(("etltctl", *self.words))


@dataclass(frozen=True)
class Parameter:
    """An argument of the Python API in a next step. The front door that prints it spells it in its own way.

    Attributes:
        name: The argument's name, such as `max_scan`.
    """

    name: str

    def __str__(self) -> str:
        """Return the name, as the Python API has it."""
        return self.name


def command(*words: object) -> Command:
    """Return the command of these words, such as `command("runs", "show", run_id)`."""
    return Command(tuple(map(str, words)))


Part = str | Command | Parameter

# For code that does not know of runs: the code that drives the run puts the run's id in its place.
RETRY = command("retry", "RUN")


@dataclass(frozen=True, init=False)
class NextStep:
    """What to do next: text, with commands and parameters in their places.

    Attributes:
        parts: Texts, commands and parameters in the order in which they are printed.
    """

    parts: tuple[Part, ...]

    def __init__(self, *parts: Part) -> None:
        """Keep the parts; empty texts are left out."""
        object.__setattr__(self, "parts", tuple(part for part in parts if part))

    @classmethod
    def read(cls, text: str) -> NextStep:
        """Return the step of a text that another process wrote, such as a warning of the embedded server.

        Args:
            text: The text; its commands stand in backquotes, such as `etltctl govern apply`.
        """
        parts = IN_BACKQUOTES.split(
            text
        )  # every second one is what stood in backquotes after the program's name
        return cls(*(command(*shlex.split(part)) if index % 2 else part for index, part in enumerate(parts)))

    def render(self, show: Callable[[Part], str] = str) -> str:
        """Return the step as one text.

        Args:
            show: Spells a part. The command line's spelling adds the flags that lead to the same lake.
        """
        return "".join(map(show, self.parts))

    def naming(self, retry: str | Command) -> NextStep:
        """Return the step with `retry` wherever it has `RETRY`, the options after it included."""
        return NextStep(*(_naming(part, retry) for part in self.parts))

    def filled(self, names: Mapping[str, str]) -> NextStep:
        """Return the step with names of things in place of the words that stand for them.

        Args:
            names: What to write for each word in capitals, such as the run's id for `RUN`.
        """
        # Whole words only: a name in a text may contain such a word.
        word = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names) or "(?!)")
        return NextStep(*(_filled(part, names, word) for part in self.parts))

    def __str__(self) -> str:
        """Return the step without flags, as the Python API shows it."""
        return self.render()


Hint = str | Command | NextStep


def _filled(part: Part, names: Mapping[str, str], word: re.Pattern[str]) -> Part:
    if isinstance(part, Command):
        return Command(tuple(names.get(each, each) for each in part.words))
    return part if isinstance(part, Parameter) else word.sub(lambda match: names[match[0]], part)


def _naming(part: Part, retry: str | Command) -> Part:
    if isinstance(part, Parameter):
        return part
    if isinstance(part, str):
        return part.replace(str(RETRY), str(retry))
    if part.words[: len(RETRY.words)] != RETRY.words:
        return part
    options = part.words[len(RETRY.words) :]
    if isinstance(retry, Command):
        return Command((*retry.words, *options))
    return " ".join((retry, *options))


def install(extra: str) -> str:
    """Return the command that adds an extra to this installation, however etltctl was installed.

    Args:
        extra: The name of the extra, such as `local`.
    """
    import sys
    from importlib.util import find_spec
    from shutil import which

    prefix, package = Path(sys.prefix).as_posix(), f"etltctl[{extra}]"
    address, is_editable = _installed_from()
    # A checkout is installed again from where it lies; a wheel of the same version would replace it.
    # Environments that uv makes have no pip, and the `pip` of the shell would be that of another environment.
    python = shlex.quote(sys.executable)
    # A checkout without a uv of the machine has brought one along.
    uv = ".uv/bin/uv" if is_editable and not which("uv") else "uv"
    pip = f"{python} -m pip install" if find_spec("pip") else f"{uv} pip install --python {python}"
    if is_editable:
        return f"in the checkout of etltctl: {pip} -e '.[{extra}]'"
    requirement = shlex.quote(f"{package} @ {address}" if address else package)
    if "/uv/tools/" in prefix:
        # `--force` replaces the tool in place, with the extra and everything that it had.
        return f"uv tool install --force {requirement}"
    if "/pipx/" in prefix:
        return f"pipx install --force {requirement}"
    return f"{pip} {requirement}"


def _installed_from() -> tuple[str, bool]:
    """Return the wheel or folder that etltctl was installed from (empty: an index), and whether it is editable."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        origin = json.loads(distribution("etltctl").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, OSError, ValueError):
        return "", False
    return str(origin.get("url", "")), bool(origin.get("dir_info", {}).get("editable"))
