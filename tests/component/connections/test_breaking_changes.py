"""Changes that would lose rows are shown and need a yes."""

from __future__ import annotations

from typing import Any

import pytest

from etltctl.errors import (
    BlockedError,
)
from support.airbyte_place import Place
from support.sample_settings import on_sample


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"sources__api__streams": ["races"]}, "stream results is removed"),
        ({"sources__api__sync_mode": "full_refresh_append"}, "stream races needs a clear or a refresh"),
        ({"sources__api__prefix": "f1"}, "s3_bucket_path moves every stream"),
        ({"sources__mongodb__database": "another"}, "another database"),
    ],
)
def test_a_breaking_change_is_shown_and_refused_without_a_yes(
    place: Place, flags: dict[str, Any], says: str
) -> None:
    place.apply()
    before = [place.server.http.get(path).text for path in ("/sources", "/destinations", "/connections")]
    assert any(f"! {says}" in line for line in place.plan(**flags))
    with pytest.raises(BlockedError, match="nothing was changed") as raised:
        place.apply(**flags)
    assert says in raised.value.facts["because"]
    assert "--yes" in raised.value.hint
    paths = ("/sources", "/destinations", "/connections")
    assert [place.server.http.get(path).text for path in paths] == before
    place.apply(yes=True, **flags)
    assert place.plan(**flags) == []


def test_an_added_stream_and_a_schedule_are_not_breaking_changes(place: Place) -> None:
    place.apply(sources__api__streams=["races"])
    flags = {"sources__api__streams": ["races", "laps"], "sources__api__schedule": "cron 0 0 3 * * ?"}
    (change,) = place.plan(**flags)
    assert "schedule: manual → cron 0 0 3 * * ?" in change
    assert "streams.laps: none → full_refresh_overwrite" in change
    place.apply(**flags)
    assert place.plan(**flags) == []


def test_a_manifest_that_loses_a_stream_is_breaking_and_a_changed_one_is_uploaded(place: Place) -> None:
    shipped = place.settings().manifest_path("api").read_text()
    own = place.folder / "connectors" / "source-f1" / "manifest.yaml"
    own.parent.mkdir(parents=True)
    (place.folder / "etltctl.toml").write_text(on_sample("version = 1\n"))
    place.apply()
    own.write_text(shipped.replace("version: 6.60.0", "version: 6.61.0"))
    (change,) = place.plan()
    assert "version 6.60.0 with 12 streams → version 6.61.0 with 12 streams" in change
    place.apply()
    own.write_text(
        shipped.partition("  # Some 264 requests")[0] + "\nspec:" + shipped.partition("\nspec:")[2]
    )
    with pytest.raises(BlockedError) as raised:
        place.apply()
    assert "stream laps is removed from the connector" in raised.value.facts["because"]
