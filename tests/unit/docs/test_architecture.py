"""docs/architecture.md names the packages, layers and files that the code has."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[3]
PAGE = PROJECT / "docs" / "architecture.md"
DEEPEST = 3  # folders below src/etltctl that the tree shows


def test_the_tree_names_every_package_and_no_other() -> None:
    assert {path for path in tree() if path.startswith("src/etltctl/")} == packages()


def test_the_tree_names_every_folder_of_the_checkout() -> None:
    listing = subprocess.run(["git", "ls-files"], cwd=PROJECT, check=True, capture_output=True, text=True)
    folders = {line.partition("/")[0] for line in listing.stdout.splitlines() if "/" in line}
    assert {path.partition("/")[0] for path in tree()} == {name for name in folders if name[0] != "."}


def test_every_package_has_one_line_that_describes_it() -> None:
    assert [path for path, text in tree().items() if not text] == []
    assert len(tree()) == len(lines_of_tree())


def test_the_layers_are_those_of_the_import_linter() -> None:
    assert layers_of_page() == layers_of_contract()


def test_each_of_the_six_answers_names_code_that_its_file_contains() -> None:
    rows = [row for row in table("## Six questions") if "](" in row]
    assert len(rows) == 6
    for row in rows:
        place = PAGE.parent / re.findall(r"\]\(([^)]+)\)", row)[0]
        code = place.read_text("utf-8") + " ".join(path.stem for path in place.parent.glob("*.py"))
        for name in re.findall(r"`(\w+)`", row):
            assert re.search(rf"\b{name}\b", code), f"{name} is not in {place.name}"


def test_every_key_type_is_a_class_of_the_package() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (PROJECT / "src").rglob("*.py"))
    for name in re.findall(r"`([A-Z]\w+)`", "\n".join(row.split("|")[1] for row in table("## Key types"))):
        assert re.search(rf"^class {name}\b", code, re.MULTILINE), name


def tree() -> dict[str, str]:
    """Return the folders of the page's tree by path, each with its description."""
    folders: dict[str, str] = {}
    above: list[str] = []
    for line in lines_of_tree():
        indent, path, text = re.fullmatch(r"( *)(\S+)/ +(.*)", line).groups()  # type: ignore[union-attr]
        above = [*above[: len(indent) // 4], path]
        folders["/".join(above) + "/"] = text
    return folders


def lines_of_tree() -> list[str]:
    return section("## The tree").partition("```text\n")[2].partition("\n```")[0].splitlines()


def packages() -> set[str]:
    """Return the folders below src/etltctl that hold Python code, at most DEEPEST levels down, and their root."""
    root = PROJECT / "src" / "etltctl"
    return {f"src/etltctl/{'/'.join(parts)}/".replace("//", "/") for parts in sorted(_parts(root))}


def _parts(root: Path) -> Iterator[tuple[str, ...]]:
    for module in root.rglob("*.py"):
        parts = module.relative_to(root).parts[:-1]
        if parts[:2] != ("scaffold", "files") and parts[:1] != ("_project",):
            yield from (parts[:depth] for depth in range(min(len(parts), DEEPEST) + 1))


def layers_of_page() -> list[set[str]]:
    return [set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table("## The layers")]


def layers_of_contract() -> list[set[str]]:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["etltctl"])
    return [{name.strip("() ") for name in re.split(r"[|:]", layer)} for layer in layers]


def table(heading: str) -> list[str]:
    """Return the rows of the section's table without its head."""
    return [line for line in section(heading).splitlines() if line.startswith("|")][2:]


def section(heading: str) -> str:
    return PAGE.read_text("utf-8").partition(f"{heading}\n")[2].partition("\n## ")[0]
