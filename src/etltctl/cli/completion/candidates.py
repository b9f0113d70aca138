"""What may stand at the cursor: a command, an option, or a value of what the cursor is at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from etltctl.cli.completion.names import Context, names

Candidate = tuple[str, str]  # the value, and what it means
Node = Mapping[str, Any]
FILES: list[Candidate] = [("", "files")]  # the shell completes files by itself


def candidates(
    tree: Node, words: Sequence[str], incomplete: str, environ: Mapping[str, str], directory: Path
) -> list[Candidate]:
    """Return what may stand at the cursor, or `FILES` where that is the name of a file.

    Args:
        tree: The commands, as in `command_tree.json`.
        words: The words between the program's name and the cursor.
        incomplete: The word that the cursor stands at.
        environ: The variables of the process.
        directory: The working folder of the shell.
    """
    context = Context(environ, directory)
    place = _walked(tree, words, context)
    if place is None:
        return []
    node, awaited, takes_options = place
    if awaited is not None:
        return _matching(_values(awaited, context), incomplete)
    if takes_options and incomplete.startswith("-"):
        return _option_candidates(_options(tree, node), incomplete, context)
    if "commands" in node:
        return _matching([(name, below["help"]) for name, below in node["commands"].items()], incomplete)
    arguments, number = node["arguments"], len(context.arguments)
    if number >= len(arguments) and not (arguments and arguments[-1]["several"]):
        return []
    return _matching(_values(arguments[min(number, len(arguments) - 1)], context), incomplete)


def _walked(tree: Node, words: Sequence[str], context: Context) -> tuple[Node, Node | None, bool] | None:
    """Return the command that the words lead to, the option that awaits its value, and whether options may still come.

    None if there is no such command.
    """
    node, awaited, takes_options = tree, None, True
    for word in words:
        if awaited is not None:
            context.note(awaited["names"], word)
            awaited = None
        elif takes_options and word == "--":
            takes_options = False
        elif takes_options and word.startswith("-") and word != "-":
            awaited = _met(_options(tree, node), word, context)
        elif "commands" not in node:
            context.arguments.append(word)
        elif word in node["commands"]:
            node = node["commands"][word]
        else:
            return None
    return node, awaited, takes_options


def _options(tree: Node, node: Node) -> list[Node]:
    """Return the command's options, and those that may stand anywhere."""
    return [*node["options"], *(tree["options"] if node is not tree else [])]


def _met(options: Sequence[Node], word: str, context: Context) -> Node | None:
    """Return the option whose value comes next, if it takes a value that does not stand in the same word."""
    name, is_joined, value = word.partition("=")
    option = next((each for each in options if name in each["names"]), None)
    if option is None:
        return None
    if is_joined or not option["takes"]:
        context.note(option["names"], value)
        return None
    return option


def _option_candidates(options: Sequence[Node], incomplete: str, context: Context) -> list[Candidate]:
    name, is_joined, value = incomplete.partition("=")
    if is_joined:
        option = next((each for each in options if name in each["names"] and each["takes"]), None)
        found = _matching(_values(option, context), value) if option else []
        return [(f"{name}={each}", text) for each, text in found] if found != FILES else FILES
    every = [(name, each["help"]) for each in options for name in each["names"]]
    return [(name, text) for name, text in every if name.startswith(incomplete)]


def _values(param: Node, context: Context) -> list[Candidate]:
    if param["choices"]:
        return [(choice, "") for choice in param["choices"]]
    return FILES if param["takes"] == "file" else [(name, "") for name in names(param["takes"], context)]


def _matching(found: list[Candidate], incomplete: str) -> list[Candidate]:
    """Return the candidates that begin with the incomplete word."""
    return found if found == FILES else [each for each in found if each[0].startswith(incomplete)]
