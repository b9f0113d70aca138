"""A connection that would be a second one for its source: the plan says which one its syncs use."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.connections import make_plan
from support.airbyte_place import open_place
from support.workplace import Workplace


def test_a_plan_names_the_connection_that_the_settings_lead_syncs_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_place(tmp_path, monkeypatch) as place:
        assert make_plan(place.settings()).warnings == ()
        place.apply()
        used = place.recorded()["connection:mongodb"]
        other = {
            "project": "other",
            "state": str(tmp_path / "elsewhere"),
            "sources__mongodb__connection_id": used,
        }
        plan = make_plan(place.settings(**other))
    assert plan.warnings == (
        f"syncs of mongodb use connection pi-m3-mongodb ({used}), which sources.mongodb.connection_id leads to: "
        "connection other-mongodb would be a second one, and unused while that setting has a value",
    )
    assert f"  ! {plan.warnings[0]}\n" in plan.text()
    assert plan.as_dict()["warnings"] == list(plan.warnings)


def test_a_local_plan_names_the_connections_that_the_embedded_server_made(tmp_path: Path) -> None:
    plan = Workplace(tmp_path).run("connections", "plan").stdout
    for source in ("api", "mongodb"):
        assert f"  ! syncs of {source} use connection {source} (" in plan
