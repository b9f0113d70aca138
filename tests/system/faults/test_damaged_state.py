"""A damaged catalog: the command warns and continues, `doctor` reports it, and `athena refresh` rebuilds it."""

from __future__ import annotations

import pytest

from support.spoilt import ROWS, SpoiltLake

pytestmark = pytest.mark.faults


def test_a_damaged_catalog_file_is_named_and_rebuilt_from_the_published_versions(lake: SpoiltLake) -> None:
    state = lake.folder / ".etltctl"
    lake.run("local", "down")
    content = (state / "server/aws.json").read_bytes()
    (state / "server/aws.json").write_bytes(content[: len(content) // 2])
    (state / "airbyte/jobs.json").write_text("{}")
    (state / "server/.moto.pickle-0a_b1c2d").write_bytes(b"")
    errors = lake.run("local", "up", "--quiet").stderr
    for name in ("aws.json", "jobs.json"):
        assert f"{name} is damaged" in errors
    assert "`etltctl athena refresh` makes the catalog again" in errors
    assert "is damaged" not in lake.run("local", "status").stderr

    findings = {row["subject"]: row for row in lake.json("doctor")["rows"]}
    assert findings["state file aws.json"]["status"] == "warn"
    assert "athena refresh" in findings["state file aws.json"]["evidence"]
    assert findings["database pi_m3_gold"]["status"] == "warn"
    assert "athena refresh" in findings["database pi_m3_gold"]["fix"]

    lake.run("athena", "refresh")
    assert lake.query("select count(*) as n from pi_m3_gold.small") == [{"n": ROWS}]
    for aside in state.glob("*/*.damaged-*"):
        aside.unlink()
    again = {row["subject"]: row["status"] for row in lake.json("doctor")["rows"]}
    assert (again["state files"], again["database pi_m3_gold"]) == ("ok", "ok")
    assert not (state / "server/.moto.pickle-0a_b1c2d").exists()
