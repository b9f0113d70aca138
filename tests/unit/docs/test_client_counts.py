"""The reference page counts the checks of other makers' clients as their tests do."""

from __future__ import annotations

from pathlib import Path

from support.client_checks import collected_table

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "embedded-endpoints.md"


def test_the_reference_page_has_the_counts_of_the_clients_tests() -> None:
    """If it fails after a change of these tests, run `python docs/generate`."""
    assert f"<!-- clients -->\n{collected_table()}<!-- /clients -->" in PAGE.read_text("utf-8")
