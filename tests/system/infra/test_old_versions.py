"""Old versions of objects: all expire, those of the state bucket soon, and delete markers too."""

from __future__ import annotations

from typing import Any

from support.checkout import Checkout


def rules(checkout: Checkout, bucket: str) -> dict[str, dict[str, Any]]:
    answer = checkout.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)
    return {rule["ID"]: rule for rule in answer["Rules"]}


def test_the_state_bucket_keeps_the_last_versions_of_rewritten_objects(
    deployed: Checkout,
) -> None:
    assert rules(deployed, "lake1-state")["rewritten"]["NoncurrentVersionExpiration"] == {
        "NoncurrentDays": 1,
        "NewerNoncurrentVersions": 3,
    }
    assert "rewritten" not in rules(deployed, "lake1-gold")


def test_old_versions_and_delete_markers_expire_in_every_bucket(deployed: Checkout) -> None:
    for bucket in ("lake1-state", "lake1-gold", "lake1-athena-results"):
        tidy = rules(deployed, bucket)["tidy"]
        assert tidy["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
        assert tidy["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    assert rules(deployed, "lake1-athena-results")["results"]["Expiration"] == {"Days": 14}
