"""The three shells: how each hands over its command line, and how it wants the answer."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from etltctl.cli.completion.candidates import FILES, Candidate, candidates
from etltctl.cli.completion.scripts import script

VARIABLE = "_ETLTCTL_COMPLETE"
TREE = Path(__file__).with_name("command_tree.json")


def answer(environ: Mapping[str, str], directory: Path) -> tuple[str, int]:
    """Answer one request of a shell.

    Args:
        environ: The variables of the process; `_ETLTCTL_COMPLETE` says what is asked, such as `complete_zsh`.
        directory: The working folder of the shell.

    Returns:
        The text for stdout and the exit code. An instruction that is not known is answered with nothing and 1.
    """
    instruction, _, shell = environ[VARIABLE].partition("_")
    if instruction == "source":
        return script(shell)
    if instruction != "complete" or shell not in FORMATS:
        return "", 1
    words, incomplete, dropped = _bash_line(environ) if shell == "bash" else _line(environ)
    tree = json.loads(TREE.read_text("utf-8"))
    found = candidates(tree, words, incomplete, environ, directory)
    if environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return "", 0 if found and found != FILES else 1
    return FORMATS[shell]([(value[dropped:], text) for value, text in found] if found != FILES else FILES), 0


def _line(environ: Mapping[str, str]) -> tuple[list[str], str, int]:
    """Return the words before the cursor and the word at the cursor, of a line that is one text."""
    line = environ.get("_TYPER_COMPLETE_ARGS", "")
    words = split(line)[1:]
    incomplete = words.pop() if words and not line[-1:].isspace() else ""
    return words, incomplete, 0


def _bash_line(environ: Mapping[str, str]) -> tuple[list[str], str, int]:
    """Return the same for bash, which also splits words at `:` and `=` and replaces only the part after them.

    The last value is how much of the front of every candidate bash has on its line already.
    """
    words = split(environ.get("COMP_WORDS", ""))
    place = int(environ.get("COMP_CWORD", "0"))
    last = words[place] if place < len(words) else ""
    glued: list[str] = []
    for word in [*words[1:place], last]:
        if glued and word and (word in (":", "=") or glued[-1][-1:] in (":", "=")):
            glued[-1] += word
        else:
            glued.append(word)
    incomplete = glued.pop()
    return glued, incomplete, len(incomplete) - (0 if last in (":", "=") else len(last))


def split(line: str) -> list[str]:
    """Return the words of a line; the last word may have a quote that is still open."""
    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split, words.commenters = True, ""
    found = []
    try:
        for word in words:
            found.append(word)
    except ValueError:
        found.append(words.token)
    return found


def _for_bash(found: Sequence[Candidate]) -> str:
    return "\n".join(value for value, _ in found if value)


def _for_fish(found: Sequence[Candidate]) -> str:
    return "\n".join(f"{value}\t{text}" if text else value for value, text in found if value)


def _for_zsh(found: Sequence[Candidate]) -> str:
    """Return a command for zsh to evaluate: the candidates with their meaning, or zsh's completion of files."""
    if found == FILES:
        return "_files"
    told = [_quoted(value) + (f":{_quoted(text)}" if text else "") for value, text in found]
    return "_arguments '*: :((" + "\n".join(told) + "))'" if told else ""


def _quoted(text: str) -> str:
    escaped = text.replace('"', '""').replace("'", "''").replace(":", r"\\:")
    return '"' + re.sub(r"([$`])", r"\\\1", escaped) + '"'


FORMATS = {"bash": _for_bash, "zsh": _for_zsh, "fish": _for_fish}
