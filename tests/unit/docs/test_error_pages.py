"""The error pages quote what etltctl prints, and recommend commands that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from generate.commands import commands

PROJECT = Path(__file__).parents[3]
FOLDER = PROJECT / "docs" / "errors"
GROUPS = {"infra", "govern", "connections"}  # named as a group, such as `govern plan, connections plan`
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.name != "index.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_quotes_texts_of_the_code(page: Path) -> None:
    """If it fails after a change of a message, quote the new one, with names in braces for the variable parts."""
    lines = page.read_text("utf-8").partition("```text\n")[2].partition("```")[0].splitlines()
    assert lines
    names = "|".join(
        sorted((name for name, _ in commands()), key=len, reverse=True)
    )  # values in the code, not texts
    for line in lines:
        fragments = [part for part in re.split(rf"\{{\w+\}}|{names}", line) if len(part.strip(" ():;")) > 2]
        assert fragments, line
        for fragment in fragments:
            assert fragment.strip() in texts(), f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_states_the_cause_the_state_of_the_data_and_the_next_command(page: Path) -> None:
    text = page.read_text("utf-8")
    assert all(f"**{part}" in text for part in ("Cause.**", "The data", "Next.**"))
    assert "```bash\n" in text
    assert page.stem in (FOLDER / "index.md").read_text("utf-8").splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_index_has_the_texts_of_a_page_and_the_page_states_the_exit_code(page: Path) -> None:
    text = page.read_text("utf-8")
    quoted = text.partition("```text\n")[2].partition("```")[0].splitlines()
    assert set(quoted) <= set((FOLDER / "index.md").read_text("utf-8").splitlines())
    assert re.search(r"exit\s+code\s+is\s+\d", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_recommends_commands_and_options_that_exist(page: Path) -> None:
    names = {name for name, _ in commands()}
    code = re.findall(r"```bash\n(.*?)```|(?<!`)`([^`\n]+)`(?!`)", page.read_text("utf-8"), re.DOTALL)
    for line in re.findall(
        r"(?<![.\w/])etltctl ([a-z-][^\n`#;)]*)", "\n".join("\n".join(pair) for pair in code)
    ):
        words = line.removeprefix("--env aws ").split()
        name = next(
            (each for each in (f"etltctl {' '.join(words[:2])}", f"etltctl {words[0]}") if each in names), ""
        )
        assert name or words[0] in GROUPS, line
        for option in re.findall(r"(?<= )--?[a-z][a-z-]*", " ".join(words)):
            assert option in options(name), f"{name} has no {option}"


@cache
def options(command: str) -> set[str]:
    """Return the names of a command's options."""
    params = dict(commands())[command].params
    return {name for param in params for name in (*param.opts, *param.secondary_opts)}


@cache
def texts() -> str:
    """Return every piece of text in the code, each as Python joins it."""
    pieces: list[str] = []
    for file in (PROJECT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                pieces.append(node.value)
    return "\n".join(pieces)
