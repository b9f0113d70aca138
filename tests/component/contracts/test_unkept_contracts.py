"""A worker that cannot write contracts says so, because it checks no drift."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from etltctl.aws import Aws
from support.lakes import SmallLake
from support.served import Served

STREAM = "bronze.mongodb_observations"
ROWS = pa.table({"id": pa.array([1, 2], pa.int64())})
UNWRITABLE = "/proc/contracts"  # no user may make a folder there, neither root nor the image's


@pytest.fixture
def small(server: Served, aws: Aws, tmp_path: Path) -> SmallLake:
    """A separate lake whose contracts cannot be written."""
    name = f"t{uuid4().hex[:10]}"
    return SmallLake(
        server,
        aws,
        tmp_path,
        f'[lake]\nbronze = "s3://pi-m3-bronze/{name}"\ngold = "s3://pi-m3-gold/{name}"\n'
        f'[athena.databases]\ngold = "{name}"\n[contracts]\nfolder = "{UNWRITABLE}"\n',
    )


@contextmanager
def full_disk() -> Iterator[None]:
    """Let this process write nothing to any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_table_without_a_contract_is_named_before_a_job_reads_it(small: SmallLake) -> None:
    small.put(f"{small.lake.places.fixed(STREAM)}part-0.parquet", ROWS)
    for _ in range(2):  # no contract was written, so the warning appears again
        (warning,) = small.lake.contract_checks.admit(STREAM)
        assert warning.startswith(f"it has no contract, and {UNWRITABLE}/{STREAM}.toml cannot be written")
        assert f"etltctl contract accept {STREAM}" in warning


def test_a_publish_without_a_contract_carries_a_warning(small: SmallLake) -> None:
    location = small.write("gold.one", "v1", [{"version": "v1", "n": 1}])
    (published,) = small.lake.publish({"gold.one": location})
    assert [text.partition(",")[0] for text in published.warnings] == ["gold.one: it has no contract"]


def test_a_column_that_could_not_be_added_to_the_contract_is_reported(
    small: SmallLake, tmp_path: Path
) -> None:
    folder = tmp_path / "contracts"
    folder.mkdir()
    (folder / f"{STREAM}.toml").write_text('version = ""\n[columns]\nid = "bigint"\n')
    contracts = small.settings.contracts.model_copy(update={"folder": str(folder)})
    settings = small.settings.model_copy(update={"contracts": contracts})
    checks = replace(small.lake.contract_checks, context=replace(small.lake.context, settings=settings))
    small.put(f"{small.lake.places.fixed(STREAM)}part-0.parquet", ROWS.append_column("n", [[1, 2]]))
    with full_disk():
        change, warning = checks.admit(STREAM)
    assert "+ n" in change
    assert "its contract has changed" in warning
