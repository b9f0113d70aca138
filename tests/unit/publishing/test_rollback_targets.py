"""The version that a rollback makes current, and the command that helps if there is none."""

from __future__ import annotations

import pytest

from etltctl.errors import BlockedError
from etltctl.publishing.version_history import History

TABLE = "gold.day"


def test_the_version_before_the_current_one_is_the_target() -> None:
    assert History("v2", ("v3", "v2", "v1")).target(TABLE, "") == "v1"


@pytest.mark.parametrize(
    ("history", "to", "step"),
    [
        (
            History("v1", ("v1",)),
            "",
            "readers see its only version; if a newer one was refused, readers do not see that: etltctl why",
        ),
        (History("v1", ("v2", "v1")), "", "etltctl rollback gold.day --to v2"),
        (History("v1", ("v1",)), "v9", "etltctl athena describe gold.day"),
        (History(), "", "etltctl athena describe gold.day"),
    ],
)
def test_without_a_target_the_next_command_is_the_one_that_helps(
    history: History, to: str, step: str
) -> None:
    with pytest.raises(BlockedError, match="has no ") as refused:
        history.target(TABLE, to)
    assert str(refused.value.next_step).startswith(step)
