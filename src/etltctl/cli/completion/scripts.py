"""The scripts that make bash, zsh and fish ask etltctl, and where each shell keeps its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path


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
    """Return the shell's script and 0, or nothing and 1 for a shell that etltctl has none for."""
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
    path.write_text(SCRIPTS[shell], "utf-8")
    if shell in START_UP:
        name, line = START_UP[shell]
        _add_line(home / name, line.format(path=path, folder=path.parent))
    return path


def _add_line(file: Path, line: str) -> None:
    text = file.read_text("utf-8") if file.exists() else ""
    if line not in text.splitlines():
        parted = "" if text.endswith("\n") or not text else "\n"
        file.write_text(f"{text}{parted}{line}\n", "utf-8")


def current_shell(environ: Mapping[str, str]) -> str:
    """Return the name of the shell that started this process, or of the user's login shell; empty if it is neither."""
    try:
        parent = Path(f"/proc/{os.getppid()}/comm").read_text("utf-8").strip()
    except OSError:
        parent = ""
    names = (parent, Path(environ.get("SHELL", "")).name)
    return next((name for name in names if name in list(Shell)), "")
