"""Drift: every kind of change has the verdict of its policy, and a readable diff."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from etltctl.catalog import hive_columns, widened
from etltctl.contracts import Contract, ContractBook, Judgement, Policy, judge
from etltctl.errors import BlockedError, ConfigurationError
from etltctl.s3 import Footer, S3Object
from etltctl.settings.checks import Contracts, TableRules

NESTED = pa.struct([("lat", pa.float64()), ("lon", pa.float64())])
PROMISED = pa.schema(
    [
        ("id", pa.int64()),
        ("n", pa.int32()),
        ("at", pa.timestamp("us")),
        ("place", NESTED),
        ("name", pa.string()),
    ]
)
CONTRACT = Contract("gold.t", hive_columns(PROMISED, "gold.t"))


def footer(schema: pa.Schema, name: str = "a") -> Footer:
    return Footer(S3Object("b", f"{name}.parquet", 1, name, datetime(2026, 1, 1, tzinfo=UTC)), schema, 1)


def changed(*, drop: str = "", add: dict[str, pa.DataType] | None = None, **kinds: pa.DataType) -> pa.Schema:
    fields = [(f.name, kinds.get(f.name, f.type)) for f in PROMISED if f.name != drop]
    return pa.schema([*fields, *(add or {}).items()])


def judged(*schemas: pa.Schema, policy: Policy | None = None, contract: Contract = CONTRACT) -> Judgement:
    footers = [footer(schema, f"f{number}") for number, schema in enumerate(schemas)]
    return judge(contract, footers, policy or Policy(), {})


GOLD, BRONZE = Policy(), Policy(is_source=True)
FROZEN = Policy("freeze", "freeze")
QUARANTINE = Contracts.model_validate({"columns": "quarantine", "types": "quarantine"})
ASIDE, GOLD_ASIDE = (
    Policy.of(table, TableRules.model_validate({}), QUARANTINE) for table in ("bronze.t", "gold.t")
)
POINT = pa.struct([*NESTED, pa.field("alt", pa.float64())])
HALF = pa.struct([("lat", pa.float64())])
WORDS = pa.struct([("lat", pa.string()), ("lon", pa.float64())])
CORPUS = [  # the event, the change, and the verdicts for gold, for bronze, frozen, and with quarantine
    ("add", changed(add={"new": pa.string()}), "added new", "accepted accepted blocked quarantined"),
    ("drop", changed(drop="name"), "dropped name", "blocked noted blocked noted"),
    ("widen", changed(n=pa.int64()), "widened n", "accepted accepted blocked quarantined"),
    ("widen unsafely", changed(n=pa.float64()), "widened n", "blocked blocked blocked quarantined"),
    ("narrow", changed(id=pa.int32()), "narrowed id", "blocked noted blocked quarantined"),
    ("nested add", changed(place=POINT), "widened place", "accepted accepted blocked quarantined"),
    ("nested drop", changed(place=HALF), "narrowed place", "blocked noted blocked quarantined"),
    ("nested retype", changed(place=WORDS), "retyped place", "blocked blocked blocked quarantined"),
    ("int64 for timestamp", changed(at=pa.int64()), "retyped at", "blocked blocked blocked quarantined"),
    ("text for number", changed(n=pa.string()), "retyped n", "blocked blocked blocked quarantined"),
    ("case clash", changed(add={"ID": pa.int64()}), "unreadable ", "blocked blocked blocked quarantined"),
    ("uint64", changed(id=pa.uint64()), "unreadable ", "blocked blocked blocked quarantined"),
]


@pytest.mark.parametrize(("name", "schema", "what", "verdicts"), CORPUS, ids=[c[0] for c in CORPUS])
def test_every_drift_has_its_verdict(name: str, schema: pa.Schema, what: str, verdicts: str) -> None:
    policies = (GOLD, BRONZE, FROZEN, ASIDE, GOLD_ASIDE)
    # a file of gold cannot be set aside: its version is blocked
    for policy, verdict in zip(policies, [*verdicts.split(), "blocked"], strict=True):
        (change,) = judged(schema, policy=policy).changes
        assert (f"{change.kind} {change.column}", change.verdict) == (what, verdict)


def test_an_unchanged_column_is_not_a_change() -> None:
    reordered = pa.schema(list(reversed(list(PROMISED))))
    assert judged(PROMISED, reordered).changes == []
    judged(PROMISED).require_unblocked()


def test_a_column_of_only_nulls_is_neither_dropped_nor_retyped() -> None:
    assert judged(changed(name=pa.null())).changes == []


def test_a_column_that_one_of_many_files_lacks_is_not_dropped() -> None:
    assert judged(PROMISED, changed(drop="name"), policy=BRONZE).changes == []


def test_a_rename_is_explained() -> None:
    (dropped,) = [
        c for c in judged(changed(drop="name", add={"title": pa.string()})).changes if c.kind == "dropped"
    ]
    assert "renamed to title" in dropped.why


def test_a_rename_is_not_guessed_among_many_unlike_names() -> None:
    new = {"title": pa.string(), "full_name": pa.string(), "remark": pa.string()}
    (dropped,) = [c for c in judged(changed(drop="name", add=new)).changes if c.kind == "dropped"]
    assert "renamed to full_name" in dropped.why
    del new["full_name"]
    (dropped,) = [c for c in judged(changed(drop="name", add=new)).changes if c.kind == "dropped"]
    assert "renamed" not in dropped.why


def test_a_difference_is_readable_and_names_a_file() -> None:
    with pytest.raises(BlockedError) as error:
        judged(PROMISED, changed(at=pa.int64())).require_unblocked()
    difference = str(error.value.facts["difference"])
    assert (
        "~ at timestamp → bigint  retyped, blocked: no reader of timestamp reads bigint  in s3://b/f1.parquet"
        in difference
    )
    assert "etltctl contract accept gold.t" in error.value.hint


def test_an_accepted_change_is_in_the_contract_afterwards() -> None:
    evolved = changed(add={"new": pa.string()}, n=pa.int64())
    amended = judged(evolved).amended("v2")
    assert amended is not None
    assert amended.columns == {**CONTRACT.columns, "n": "bigint", "new": "string"}
    assert judged(evolved, contract=amended).changes == []


def test_a_contract_is_a_file_that_can_be_read_again(tmp_path: Path) -> None:
    book = ContractBook(tmp_path / "contracts")
    assert book.find("gold.t") is None
    assert book.keep(CONTRACT)
    assert book.find("gold.t") == CONTRACT
    (tmp_path / "contracts" / "gold.t.toml").write_text("[columns]\nn = 4\n")
    with pytest.raises(ConfigurationError, match=r"gold\.t\.toml cannot be read"):
        book.find("gold.t")


@pytest.mark.parametrize(
    ("old", "new", "both", "is_safe"),
    [
        ("int", "bigint", "bigint", True),
        ("bigint", "smallint", "bigint", True),
        ("float", "double", "double", False),
        ("int", "double", "double", False),
        ("decimal(5,2)", "decimal(9,2)", "decimal(9,2)", True),
        ("array<int>", "array<bigint>", "array<bigint>", True),
        ("map<string,int>", "map<string,bigint>", "map<string,bigint>", True),
        (
            "struct<a:int,b:array<struct<c:int>>>",
            "struct<a:int,b:array<struct<c:bigint,d:string>>>",
            "struct<a:int,b:array<struct<c:bigint,d:string>>>",
            True,
        ),
    ],
)
def test_types_widen_as_athena_reads_them(old: str, new: str, both: str, is_safe: bool) -> None:
    widened_type = widened(old, new)
    assert widened_type is not None
    assert (widened_type.type, widened_type.is_safe) == (both, is_safe)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bigint", "timestamp"),
        ("bigint", "string"),
        ("boolean", "int"),
        ("decimal(9,2)", "decimal(9,4)"),
        ("date", "timestamp"),
        ("array<int>", "map<int,int>"),
        ("struct<a:int>", "struct<a:string>"),
    ],
)
def test_types_that_no_reader_reads_together_have_no_common_type(old: str, new: str) -> None:
    assert widened(old, new) is None
