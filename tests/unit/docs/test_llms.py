"""llms.txt lists every page of the site by its title."""

from __future__ import annotations

import re

from llms import DOCS, llms_text, pages, title_and_summary


def test_every_page_is_listed_once_with_its_title() -> None:
    links = re.findall(r"^- \[(.+?)\]\((?:_sources/)?(.+?)\.(?:md|html)\)", llms_text(), re.MULTILINE)
    assert sorted(name for _, name in links) == sorted(
        str(page.relative_to(DOCS).with_suffix("")) for page in pages()
    )
    for title, name in links:
        assert (DOCS / f"{name}.md").read_text("utf-8").splitlines().count(f"# {title}") == 1


def test_a_page_of_docstrings_is_linked_as_the_site_shows_it() -> None:
    assert "](reference/python.html)" in llms_text()
    assert "](_sources/reference/settings.md)" in llms_text()


def test_titles_differ() -> None:
    titles = [title_and_summary(page)[0] for page in pages()]
    assert sorted(titles) == sorted(set(titles))


def test_the_file_begins_with_a_description_of_etltctl() -> None:
    title, _, rest = llms_text().partition("\n\n")
    assert (title, rest.splitlines()[0][:25]) == ("# etltctl", "> Run an Airbyte → S3 → G")
