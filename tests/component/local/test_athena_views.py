"""Views in the catalog as Athena keeps them, and views that cannot be made."""

from __future__ import annotations

import base64
import json

import pytest

from support.athena import Athena
from support.served import Served


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    athena = Athena(server, "view-results", "view_gold")
    athena.glue.create_database(DatabaseInput={"Name": "view_gold"})
    return athena


def test_a_view_keeps_its_query_and_the_types_of_its_columns(athena: Athena) -> None:
    athena.succeed("CREATE OR REPLACE VIEW typed AS SELECT 1.50 AS gap, ARRAY['a'] AS tags, bigint '1' AS n")
    view = athena.table("typed")
    assert (view["TableType"], view["ViewExpandedText"]) == ("VIRTUAL_VIEW", "/* Presto View */")
    assert view["Parameters"] == {"presto_view": "true", "comment": "Presto View"}
    assert {column["Name"]: column["Type"] for column in view["StorageDescriptor"]["Columns"]} == {
        "gap": "decimal(3,2)", "tags": "array<varchar(1)>", "n": "bigint"
    }  # fmt: skip
    text = view["ViewOriginalText"]
    assert text.startswith("/* Presto View: ")
    assert text.endswith(" */")
    definition = json.loads(base64.b64decode(text.removeprefix("/* Presto View: ").removesuffix(" */")))
    assert (definition["catalog"], definition["schema"]) == ("awsdatacatalog", "view_gold")
    assert [(column["name"], column["type"]) for column in definition["columns"]] == [
        ("gap", "decimal(3,2)"), ("tags", "array(varchar(1))"), ("n", "bigint")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("CREATE VIEW bad AS SELECT 1", "MISSING_COLUMN_NAME: "),
        ("CREATE VIEW bad AS SELECT 1 AS a, 2 AS a", "DUPLICATE_COLUMN_NAME: "),
        ("CREATE VIEW bad (a) AS SELECT 1", "REFUSED: line 1:17: mismatched input '('"),
        ("CREATE VIEW bad AS SELECT * FROM nothing", "TABLE_NOT_FOUND: line 1:34: "),
        ("CREATE VIEW nowhere.bad AS SELECT 1 AS a", "SCHEMA_NOT_FOUND: line 1:13: Schema nowhere not found"),
    ],
)
def test_a_view_that_athena_refuses_is_not_made(athena: Athena, sql: str, reason: str) -> None:
    assert athena.reason(sql).startswith(reason)
    assert "bad" not in [
        table["Name"] for table in athena.glue.get_tables(DatabaseName="view_gold")["TableList"]
    ]
