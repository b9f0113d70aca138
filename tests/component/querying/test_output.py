"""Rows of a query as the command prints them: decimals digit by digit, booleans as in SQL."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from etltctl.aws import Aws
from etltctl.console import Console, Output
from etltctl.querying import Answer, run_query
from support.lakes import SmallLake
from support.served import Served

SQL = (
    "select decimal '1234567890.12' as money, decimal '100.50' as price, cast(1 as decimal(10,2)) as one, "
    "decimal '0.000000001' as tiny, cast(null as decimal(5,2)) as nothing, decimal '12345678901234567890.5' as big, "
    "true as yes, array[true, false] as both, 0.1e0 as share"
)


@pytest.fixture(scope="module")
def answer(server: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answer]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**server.environ, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)
        small = SmallLake(server, Aws(region="us-east-1"), tmp_path_factory.mktemp("query"))
        yield run_query(SQL, small.settings)


def printed(answer: Answer, output: Output) -> str:
    out = io.StringIO()
    Console(output, plain=True, stdout=out).rows("etltctl.query/1", answer.names, answer.rows())
    return out.getvalue()


def test_a_decimal_keeps_its_digits_and_its_scale_in_every_output(answer: Answer) -> None:
    digits = ["1234567890.12", "100.50", "1.00", "0.000000001", "", "12345678901234567890.5"]
    assert printed(answer, Output.CSV).splitlines()[1].split(",")[:6] == digits
    assert printed(answer, Output.TABLE).splitlines()[2].split()[:5] == [one for one in digits if one]
    row = json.loads(printed(answer, Output.NDJSON))
    assert list(row.values())[:6] == [one or None for one in digits]
    (values,) = answer.rows()
    assert values[1] == Decimal("100.5")


def test_a_boolean_is_true_or_false_in_a_table_and_in_csv(answer: Answer) -> None:
    assert printed(answer, Output.TABLE).splitlines()[2].split()[5] == "true"
    assert ",true," in printed(answer, Output.CSV)
    assert json.loads(printed(answer, Output.NDJSON))["yes"] is True
