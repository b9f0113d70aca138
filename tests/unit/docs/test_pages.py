"""Generated pages match the code, and written pages name only things that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from etltctl.errors import ExitCode
from generate.commands import commands
from generate.endpoints import SERVICES, airbyte_calls, aws_operations
from generate.meanings import MEANINGS
from generate.pages import stale, with_blocks
from generate.settings_page import keys
from generate.words import VARIABLES, meaning, variables_in_code

PROJECT = Path(__file__).parents[3]
README = (PROJECT / "README.md").read_text("utf-8")
PAGES = sorted({*(PROJECT / "docs").rglob("*.md"), PROJECT / "README.md"})
LINKED = [*PAGES, *(PROJECT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))]


def test_no_reference_page_is_stale() -> None:
    """If it fails after a change of commands, settings, errors or endpoints, run `python docs/generate`."""
    assert stale() == []


def test_a_stale_page_would_be_noticed() -> None:
    assert with_blocks(README) == README
    assert with_blocks(README.replace("| MongoDB |", "| MongoDb |")) == README


def test_the_readme_and_the_reference_name_every_command() -> None:
    block = README.partition("<!-- commands -->")[2].partition("<!-- /commands -->")[0]
    page = (PROJECT / "docs" / "reference" / "commands.md").read_text("utf-8")
    for name, _ in commands():
        assert f"## {name}\n" in page
        _, group, *rest = name.split()
        line = next(line for line in block.splitlines() if line.startswith(f"etltctl {group} "))
        assert not rest or rest[0] in re.split(r"[ |]", line)


def test_every_exit_code_has_a_meaning_in_the_reference() -> None:
    page = (PROJECT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    meanings = dict(re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE))
    assert meanings == {str(int(code)): meaning(code) for code in ExitCode}
    assert all(len(text.split()) > 1 for text in meanings.values())


def test_no_setting_is_described_that_no_longer_exists() -> None:
    every = {
        f"{section}.{name}" if section else name for section, rows in keys().items() for name, *_ in rows
    }
    assert set(MEANINGS) - every == set()


def test_every_variable_of_etltctl_is_in_the_reference() -> None:
    assert variables_in_code() <= set(VARIABLES)


def test_the_reference_names_every_operation_that_the_server_answers() -> None:
    assert {"StartJobRun", "GetJobRun", "GetJobRuns", "BatchStopJobRun"} <= set(aws_operations()["Glue"])
    assert {"POST /jobs", "GET /jobs/{id}", "POST /applications/token"} <= set(airbyte_calls())


def test_the_fidelity_table_lists_differences_and_gaps_of_each_service() -> None:
    assert all(each.same and each.differs and each.missing for each in SERVICES)


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
        leads_to = page.parent / target if target else page
        assert leads_to.exists(), target
        if anchor and leads_to.suffix == ".md":
            assert anchor in anchors(leads_to), f"{target}#{anchor}"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "README.md"], ids=lambda page: page.name
)
def test_the_site_can_show_every_link_and_block(page: Path) -> None:
    """Check this because a folder has no page, and a block without a language is coloured as Python."""
    text = page.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert [target for target in targets if (page.parent / target).is_dir()] == []
    fences = re.findall(r"^\s*```(.*)$", text, re.MULTILINE)
    assert all(fences[::2]), "every block names its language"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and Sphinx make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_guarantee_of_the_readme_is_linked_to_a_test() -> None:
    guarantees = README.partition("## What it guarantees")[2].partition("\n## ")[0].strip()
    assert guarantees
    for guarantee in re.split(r"\n- ", "\n" + guarantees)[1:]:
        links = re.findall(r"\]\(((?:tests|docs)/[^)]+)\)", guarantee)
        assert links, guarantee


def test_every_page_that_the_code_names_exists() -> None:
    listing = subprocess.run(["git", "ls-files"], cwd=PROJECT, check=True, capture_output=True, text=True)
    names = [
        name for name in listing.stdout.splitlines() if name.endswith((".py", ".toml", ".yaml", "Makefile"))
    ]
    for name in names:
        if (PROJECT / name).is_file():
            for page in re.findall(r"\bdocs/[\w/-]+\.md\b", (PROJECT / name).read_text("utf-8")):
                assert (PROJECT / page).exists(), f"{name} names {page}"
