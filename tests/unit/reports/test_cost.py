"""The cost of a run: actual or estimated, and nothing on this machine."""

from __future__ import annotations

import pytest

from etltctl.ledger import Event
from etltctl.reports.cost import cost_section, cost_text, step_costs
from etltctl.reports.tables import number_text
from support.reported import Elements, event

JOB, QUERY = "glue:a", "sql:b"
EVENTS = [
    event(1, "cost.estimate", JOB, usd=0.5),
    event(2, "remote.started", JOB, remote_id="jr_1", state="RUNNING"),
    event(3, "cost.actual", JOB, usd=0.25, remote_id="jr_1"),
    event(4, "cost.actual", QUERY, usd=0.0001, remote_id="q"),
]
LIVE = [event(5, "cost.estimate", JOB, usd=0.5), event(6, "remote.started", JOB, remote_id="jr_2")]


@pytest.mark.parametrize(
    ("events", "text"),
    [
        (EVENTS, "0.2501 USD"),
        ([*EVENTS, *LIVE], "0.7501 USD, partly estimated"),
        ([], "0.0000 USD"),
    ],
)
def test_the_cost_of_a_run_says_whether_it_is_estimated(events: list[Event], text: str) -> None:
    assert cost_text(step_costs(events), is_billed=True) == text


def test_each_step_has_its_basis_and_all_amounts_have_four_digits() -> None:
    text = Elements(cost_section(step_costs([*EVENTS, *LIVE]), is_billed=True)).text
    for sentence in (
        "glue:a actual 0.2500 USD",
        "glue:a estimated 0.5000 USD",
        "all steps 0.7501 USD",
        "Athena counts at least 10 MB a query",
        "Estimated: ",
    ):
        assert sentence in text, sentence


def test_work_on_this_machine_has_no_amount_that_a_reader_could_take_for_a_bill() -> None:
    text = Elements(cost_section(step_costs(EVENTS), is_billed=False)).text
    assert text == "The work ran on this machine. It cost nothing, and nothing will be billed."
    assert cost_text(step_costs(EVENTS), is_billed=False) == "0.00 USD on this machine"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1234567, "1,234,567"),
        (1234567.0, "1,234,567"),
        (12345.678, "12,345.7"),
        (0.00012345678, "0.000123457"),
        (0.0, "0"),
        (-2.5, "-2.5"),
        (1e-7, "1e-07"),
        (1.5e20, "1.5e+20"),
        (float("inf"), "inf"),
    ],
)
def test_every_number_has_separators_and_an_exponent_only_where_none_could_read_it(
    number: float, text: str
) -> None:
    assert number_text(number) == text
