"""Generated pages match the code, and written pages name only things that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import etltctl
from etltctl import errors, testing
from etltctl.errors import ExitCode
from etltctl.settings.loader import NAMED_VARIABLES
from generate.commands import commands
from generate.endpoints import SERVICES, airbyte_calls, aws_operations
from generate.exit_codes import meaning
from generate.pages import stale, with_parts
from generate.settings_page import all_settings, sections

PROJECT = Path(__file__).parents[3]
README = (PROJECT / "README.md").read_text("utf-8")
PAGES = sorted({*(PROJECT / "docs").rglob("*.md"), PROJECT / "README.md"})
LINKED = [*PAGES, *(PROJECT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))]


def test_no_reference_page_is_stale() -> None:
    """If it fails after a change of commands, settings, errors or endpoints, run `python docs/generate`."""
    assert stale() == []


def test_a_stale_page_would_be_noticed() -> None:
    page = Path("README.md")
    assert with_parts(page, README) == README
    assert with_parts(page, README.replace("| MongoDB |", "| MongoDb |")) == README


def test_the_readme_and_the_reference_name_every_command() -> None:
    block = README.partition("<!-- commands -->")[2].partition("<!-- /commands -->")[0]
    page = (PROJECT / "docs" / "reference" / "commands.md").read_text("utf-8")
    for name, _ in commands():
        assert f"# `{name}`\n" in page
        _, group, *rest = name.split()
        line = next(line for line in block.splitlines() if line.startswith(f"etltctl {group} "))
        assert not rest or rest[0] in re.split(r"[ |]", line)


def test_every_exit_code_has_a_meaning_in_the_reference() -> None:
    page = (PROJECT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    meanings = dict(re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE))
    assert meanings == {str(int(code)): meaning(code) for code in ExitCode}
    assert all(len(text.split()) > 1 for text in meanings.values())


def test_every_setting_and_every_section_says_what_it_means() -> None:
    assert [setting.key for setting in all_settings() if not setting.meaning] == []
    assert [name for name, text in sections().items() if not text] == []


def test_the_defaults_of_options_are_in_the_reference() -> None:
    page = (PROJECT / "docs" / "reference" / "commands.md").read_text("utf-8")
    assert "* `--on-interrupt [ask|stop|detach]`: What Ctrl-C does to remote work" in page
    assert "[default: ask]" in page


def test_every_public_name_of_python_is_in_the_reference() -> None:
    page = (PROJECT / "docs" / "reference" / "python.md").read_text("utf-8")
    described = set(re.findall(r"^\.\. auto\w+:: (\w+)", page, re.MULTILINE))
    classes = {name for name in etltctl.__all__ if isinstance(getattr(errors, name, None), type)}
    assert described | classes == {*etltctl.__all__, *testing.__all__}
    tree = (PROJECT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    assert [name for name in classes - {"ExitCode"} if name not in tree] == []


def test_every_variable_of_etltctl_is_in_the_reference() -> None:
    page = (PROJECT / "docs" / "reference" / "environment-variables.md").read_text("utf-8")
    assert variables_in_code() <= set(re.findall(r"\b[A-Z][A-Z_]+\b", page))


def variables_in_code() -> set[str]:
    """Return etltctl's own variables that the code names, without those inside a Glue job run."""
    files = [path for path in (PROJECT / "src").rglob("*.py") if "local" not in path.parts]
    names = {
        name
        for path in files
        for name in re.findall(r'"(ETLTCTL_[A-Z][A-Z_]*[A-Z])"', path.read_text("utf-8"))
    }
    return names | set(NAMED_VARIABLES)


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_no_line_of_a_transcript_is_cut_on_a_screen_of_1280_pixels(page: Path) -> None:
    blocks = re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert [line for block in blocks for line in block.splitlines() if len(line) > 90] == []
