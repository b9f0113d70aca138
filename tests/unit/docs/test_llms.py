"""llms.txt lists every page of the site by its title."""

from __future__ import annotations

import re

from llms import DOCS, llms_text, pages, title_and_summary


def test_every_page_is_listed_once_with_its_title() -> None:
    links = re.findall(r"^- \[(.+?)\]\(_sources/(.+?)\)", llms_text(), re.MULTILINE)
    assert sorted(path for _, path in links) == sorted(str(page.relative_to(DOCS)) for page in pages())
    for title, path in links:
        assert (DOCS / path).read_text("utf-8").splitlines().count(f"# {title}") == 1


def test_titles_differ() -> None:
    titles = [title_and_summary(page)[0] for page in pages()]
    assert sorted(titles) == sorted(set(titles))


def test_the_file_begins_with_a_description_of_etltctl() -> None:
    title, _, rest = llms_text().partition("\n\n")
    assert (title, rest.splitlines()[0][:25]) == ("# etltctl", "> Run an Airbyte → S3 → G")
