"""The committed diagrams equal the output of `python docs/diagrams`, and a site can show them with no network."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from diagrams.drawing import Picture
from diagrams.pictures import IMAGES, PICTURES
from diagrams.terminal import README, terminal

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", PICTURES)
def test_a_committed_diagram_matches_its_source(name: str) -> None:
    """If it fails after a change of a source or of the layers, run `python docs/diagrams`."""
    assert (IMAGES / name).read_text("utf-8") == PICTURES[name]()


@pytest.mark.parametrize("name", PICTURES)
def test_a_diagram_has_a_title_and_loads_nothing(name: str) -> None:
    root = ElementTree.fromstring((IMAGES / name).read_text("utf-8"))
    assert (root.findtext(f"{SVG}title") or "").strip()
    assert [
        part.tag for part in root.iter() if part.tag in (f"{SVG}image", f"{SVG}script", f"{SVG}use")
    ] == []
    references = [
        value for part in root.iter() for value in part.attrib.values() if "url(" in value or ":/" in value
    ]
    assert all(value.startswith("url(#") for value in references), "a part of the picture itself"
    assert not re.search(r"url\(|@import", root.findtext(f"{SVG}style") or "")


@pytest.mark.parametrize(
    "name", sorted(name for name in PICTURES if not name.startswith(("terminal", "live-view")))
)
def test_a_diagram_has_a_dark_colour_for_each_of_its_fills(name: str) -> None:
    root = ElementTree.fromstring((IMAGES / name).read_text("utf-8"))
    fills = {value for part in root.iter() if (value := part.get("fill", "none")) != "none"}
    assert len(fills) > 5
    rules = (root.findtext(f"{SVG}style") or "").partition("@media (prefers-color-scheme:dark)")[2]
    assert fills <= set(re.findall(r'\[fill="(#\w+)"\]', rules))


def test_the_terminal_refuses_a_line_that_it_would_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(
        README.read_text("utf-8").replace("published 2 tables", "published 2 tables " + 60 * "x")
    )
    monkeypatch.setattr("diagrams.terminal.README", readme)
    with pytest.raises(ValueError, match="fold this line"):
        terminal()


def test_text_that_is_wider_than_its_box_is_refused() -> None:
    with pytest.raises(ValueError, match="wider than its box"):
        Picture("t", 200, 100).box(0, 0, 100, "a text of thirty-five characters ...")


def test_text_that_overlaps_other_text_is_refused() -> None:
    picture = Picture("t", 200, 100)
    picture.words(10, 40, "the first")
    with pytest.raises(ValueError, match="lies on 'the first'"):
        picture.words(20, 44, "the second")


def test_a_part_outside_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="outside of 't'"):
        Picture("t", 200, 100).arrow((0, 0), (201, 0))
