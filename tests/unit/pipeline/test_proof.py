"""The proof that a sync which reports success really wrote its rows."""

from __future__ import annotations

import pytest

from etltctl.pipeline.landing import _doubt, _drop, _surplus


@pytest.mark.parametrize(
    ("landed", "reported", "least", "says"),
    [
        (10, 10, 1, None),
        (10, None, 1, None),  # Airbyte may not report a number
        (0, 0, 1, "at least 1 are expected"),
        (0, 0, 0, None),
        (10, 11, 1, "reports 11 rows for api, but 10 landed"),
        (12, 10, 1, None),  # a repeated attempt writes rows twice
        (12, 10, 13, "at least 13 are expected"),
    ],
)
def test_the_files_must_hold_enough_rows_and_the_reported_number(
    landed: int, reported: int | None, least: int, says: str | None
) -> None:
    doubt = _doubt("api", landed, reported, least)
    assert (doubt is None) is (says is None)
    assert says is None or says in (doubt or ("", ""))[0]


@pytest.mark.parametrize(("landed", "reported"), [(10, 10), (10, None), (9, 10), (0, 0)])
def test_no_surplus_means_no_warning(landed: int, reported: int | None) -> None:
    assert _surplus("api", landed, reported) == ""


@pytest.mark.parametrize(("landed", "reported"), [(12, 10), (10, 0)])
def test_a_surplus_is_a_warning_with_both_numbers(landed: int, reported: int) -> None:
    warnings = _surplus("api", landed, reported)
    assert f"{landed} rows landed for api and Airbyte counts {reported}" in warnings
    assert f"left {landed - reported} records twice" in warnings


@pytest.mark.parametrize(
    ("landed", "before", "is_believed"), [(90, 100, True), (89, 100, False), (5, 0, True)]
)
def test_a_source_may_not_shrink_by_more_than_is_allowed(landed: int, before: int, is_believed: bool) -> None:
    doubt = _drop("api", landed, before, 10.0)
    assert (doubt is None) is is_believed
    assert is_believed or "11 % less than the 100 before" in (doubt or ("", ""))[0]


@pytest.mark.parametrize(
    ("landed", "held", "least", "is_believed"),
    [(0, 10, 1, True), (0, 0, 1, False), (0, 0, 0, True), (3, 9, 10, False), (0, 10, 10, True)],
)
def test_of_an_incremental_source_all_that_bronze_holds_must_be_enough(
    landed: int, held: int, least: int, is_believed: bool
) -> None:
    assert (_doubt("api", landed, landed, least, held) is None) is is_believed


def test_too_few_rows_lead_to_the_seasons_that_the_settings_name() -> None:
    def hint(*seasons: int) -> str:
        return (_doubt("api", 0, 0, 1, seasons=seasons) or ("", ""))[1]

    assert hint(2204, 2203).startswith(
        "check that the source has rows; sources.api.seasons names 2203 to 2204. If "
    )
    assert hint().startswith("check that the source has rows. If ")


def test_an_incremental_sync_must_still_land_what_airbyte_reports() -> None:
    doubt = _doubt("api", 1, 2, 1, 100)
    assert "reports 2 rows for api, but 1 landed" in (doubt or ("", ""))[0]


def test_the_rows_that_bronze_holds_are_not_called_landed() -> None:
    doubt = _doubt("api", 3, 3, 10, 9)
    assert (doubt or ("", ""))[
        0
    ] == "sync of api succeeded, but bronze holds 9 rows and at least 10 are expected"
    drop = _drop("api", 3, 100, 10.0, 89)
    assert (drop or ("", ""))[0] == "bronze holds 89 rows of api, 11 % less than the 100 before"
