"""Shell completion: what bash, zsh and fish ask, the scripts that make them ask, and the answers they read.

A shell asks at every press of Tab, so this imports neither typer nor pydantic nor an SDK. The commands and options come
from `command_tree.json`, which `python docs/generate` makes from the code. The protocol between shell and program is
typer's, so scripts that typer installed keep working.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from etltctl.cli.candidates import FILES, Candidate, candidates

VARIABLE = "_ETLTCTL_COMPLETE"
TREE = Path(__file__).with_name("command_tree.json")


class Shell(StrEnum):
    """A shell that etltctl completes for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


BASH = """\
_etltctl_completion() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _ETLTCTL_COMPLETE=complete_bash "$1" 2>/dev/null))
}
complete -o default -F _etltctl_completion etltctl
"""
ZSH = """\
#compdef etltctl
_etltctl_completion() {
    eval "$(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _ETLTCTL_COMPLETE=complete_zsh etltctl 2>/dev/null)"
}
if [ "$funcstack[1]" = "_etltctl" ]; then _etltctl_completion "$@"; else compdef _etltctl_completion etltctl; fi
"""
FISH = """\
function __etltctl_completion
    env _ETLTCTL_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=$argv[1] \\
        _TYPER_COMPLETE_ARGS=(commandline --cut-at-cursor --current-process | string collect) etltctl 2>/dev/null
end
complete --command etltctl --no-files --condition "__etltctl_completion is-args" \\
    --arguments "(__etltctl_completion get-args)"
"""
SCRIPTS = {Shell.BASH: BASH, Shell.ZSH: ZSH, Shell.FISH: FISH}
START_UP = {
    Shell.BASH: (".bashrc", '[ -f "{path}" ] && . "{path}"'),
    Shell.ZSH: (".zshrc", 'fpath+=("{folder}"); autoload -Uz compinit; compinit'),
}


def script(shell: str) -> tuple[str, int]:
    """Return the shell's script and 0, or nothing and 1 for a shell that etltctl does not complete for."""
    return (SCRIPTS[Shell(shell)], 0) if shell in list(Shell) else ("", 1)


def install(shell: Shell, home: Path) -> Path:
    """Write the shell's script where the shell, or a line added to its start-up file, finds it.

    Args:
        shell: The shell.
        home: The user's home folder.

    Returns:
        The script's path. Installing it again changes nothing.
    """
    places = {
        Shell.BASH: home / ".bash_completions" / "etltctl.sh",
        Shell.ZSH: home / ".zfunc" / "_etltctl",
        Shell.FISH: home / ".config" / "fish" / "completions" / "etltctl.fish",
    }
    path = places[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written again each time: a newer etltctl may bring a newer script.
    path.write_text(SCRIPTS[shell], "utf-8")
    if shell in START_UP:
        name, line = START_UP[shell]
        _add_line(home / name, line.format(path=path, folder=path.parent))
    return path


def _add_line(file: Path, line: str) -> None:
    text = file.read_text("utf-8") if file.exists() else ""
    if line not in text.splitlines():
        # A file without a line feed at its end would have the line glued to its last one.
        parted = "" if text.endswith("\n") or not text else "\n"
        file.write_text(f"{text}{parted}{line}\n", "utf-8")


def current_shell(environ: Mapping[str, str]) -> str:
    """Return the name of the shell that started this process, or of the login shell; empty for other shells."""
    try:
        # The parent is the shell that asks; SHELL names the login shell, which may be another.
        parent = Path(f"/proc/{os.getppid()}/comm").read_text("utf-8").strip()
    except OSError:
        parent = ""
    names = (parent, Path(environ.get("SHELL", "")).name)
    return next((name for name in names if name in list(Shell)), "")


def answer(environ: Mapping[str, str], directory: Path) -> tuple[str, int]:
    """Answer one request of a shell.

    Args:
        environ: The variables of the process; `_ETLTCTL_COMPLETE` holds the instruction, such as `complete_zsh`.
        directory: The working folder of the shell.

    Returns:
        The text for stdout and the exit code. The answer to an unknown instruction is empty, with exit code 1.
    """
    instruction, _, shell = environ[VARIABLE].partition("_")
    if instruction == "source":
        return script(shell)
    if instruction != "complete" or shell not in FORMATS:
        return "", 1
    words, incomplete, dropped = _bash_line(environ) if shell == "bash" else _line(environ)
    tree = json.loads(TREE.read_text("utf-8"))
    every = candidates(tree, words, incomplete, environ, directory)
    # fish asks first whether there is anything to offer, and completes files if there is not.
    if environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return "", 0 if every and every != FILES else 1
    return FORMATS[shell]([(value[dropped:], text) for value, text in every] if every != FILES else FILES), 0


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
    # bash hands over its words joined by line feeds.
    words = split(environ.get("COMP_WORDS", ""))
    place = int(environ.get("COMP_CWORD", "0"))
    last = words[place] if place < len(words) else ""
    # bash breaks `glue:job` into three words at the colon; the commands know it as one.
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
    complete = []
    try:
        for word in words:
            complete.append(word)
    except ValueError:  # a quote is open: what stands behind it is the last word
        complete.append(words.token)
    return complete


def _for_bash(every: Sequence[Candidate]) -> str:
    return "\n".join(value for value, _ in every if value)


def _for_fish(every: Sequence[Candidate]) -> str:
    return "\n".join(f"{value}\t{text}" if text else value for value, text in every if value)


def _for_zsh(every: Sequence[Candidate]) -> str:
    """Return a command for zsh to evaluate: the candidates with their meaning, or zsh's completion of files."""
    if every == FILES:
        return "_files"
    values = [_quoted(value) + (f":{_quoted(text)}" if text else "") for value, text in every]
    return "_arguments '*: :((" + "\n".join(values) + "))'" if values else ""


def _quoted(text: str) -> str:
    # zsh evaluates the text twice: once as a list of `value:meaning`, once as an argument.
    escaped = text.replace('"', '""').replace("'", "''").replace(":", r"\\:")
    return '"' + re.sub(r"([$`])", r"\\\1", escaped) + '"'


FORMATS = {"bash": _for_bash, "zsh": _for_zsh, "fish": _for_fish}
