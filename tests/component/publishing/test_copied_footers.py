"""Files that were copied within S3 are not opened again for their footers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etltctl.aws import Aws
from support.lakes import SmallLake
from support.served import Served

FILES = 10  # more than the fewest whose footers are kept


@pytest.fixture
def small(server: Served, aws: Aws, tmp_path: Path) -> SmallLake:
    return SmallLake(server, aws, tmp_path)


def test_a_copy_has_the_footer_of_its_origin_and_a_changed_file_its_own(small: SmallLake) -> None:
    first, second = (small.lake.version_location("gold.copied", version) for version in ("v1", "v2"))
    for number in range(FILES):
        small.put(f"{first}part-{number}.parquet", [{"n": number}] * (number + 1))
    before = small.lake.footers("gold.copied", small.lake.s3.objects(first))
    for one in small.lake.s3.objects(first):
        small.lake.s3.copy(one, second + one.key.rpartition("/")[2])
    small.put(f"{second}part-0.parquet", [{"n": 7}] * 7)
    read: list[dict[str, Any]] = []
    lake = small.another()
    small.aws.client("s3").meta.events.register(
        "before-parameter-build.s3.GetObject", lambda params, **_: read.append(params)
    )
    after = lake.footers("gold.copied", lake.s3.objects(second))
    assert [footer.rows for footer in after] == [7, *(footer.rows for footer in before[1:])]
    opened = [each["Key"] for each in read if each["Key"].endswith(".parquet")]
    assert [key.rpartition("/")[2] for key in opened] == ["part-0.parquet"]


def test_a_few_files_that_are_counted_first_do_not_let_all_be_opened_again(small: SmallLake) -> None:
    place = small.lake.version_location("gold.counted", "v1")
    for number in range(FILES):
        small.put(f"{place}part-{number}.parquet", [{"n": number}] * (number + 1))
    files = small.lake.s3.objects(place)
    small.lake.footers("gold.counted", files)
    lake = small.another()
    lake.footers("gold.counted", files[:1])
    read: list[dict[str, Any]] = []
    small.aws.client("s3").meta.events.register(
        "before-parameter-build.s3.GetObject", lambda params, **_: read.append(params)
    )
    assert sum(footer.rows for footer in lake.footers("gold.counted", files)) == sum(range(FILES + 1))
    assert [each["Key"] for each in read if each["Key"].endswith(".parquet")] == []
