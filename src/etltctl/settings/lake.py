"""Settings of the lake: the places of its layers, and how long versions of tables are kept."""

from __future__ import annotations

from pydantic import Field

from etltctl.settings.checks import MOST_VERSIONS
from etltctl.settings.section import MAX_DAYS, MAX_MINUTES, Bucket, Section


class Lake(Section):
    """The places of the layers, and how long versions of a table are kept.

    A version that is not current is deleted when `keep_versions` newer ones exist and it has been out of use for
    `grace_minutes`. A version that was never published is deleted after `keep_unpublished_days`.
    """

    bronze: Bucket = Field(default="", description="where Airbyte writes; `s3://PROJECT-bronze` unless set")
    silver: Bucket = Field(
        default="",
        description=(
            "the place of cleaned tables; rejected rows are in `rejects/` below it; `s3://PROJECT-silver` unless set"
        ),
    )
    gold: Bucket = Field(
        default="", description="the place of the tables that people query; `s3://PROJECT-gold` unless set"
    )
    scripts: Bucket = Field(
        default="", description="the place of the Glue jobs' scripts; `s3://PROJECT-scripts` unless set"
    )
    keep_versions: int = Field(
        default=3, ge=1, le=MOST_VERSIONS, description="how many published versions of a table are kept"
    )
    grace_minutes: int = Field(
        default=300,
        ge=0,
        le=MAX_MINUTES,
        description="how long a replaced version is kept at least; choose more than the longest query takes",
    )
    keep_unpublished_days: int = Field(
        default=14, ge=1, le=MAX_DAYS, description="how long a version that was never published is kept"
    )

    def root(self, layer: str) -> str:
        """Return where a layer's tables lie. Rows that silver refused have a separate folder next to its tables."""
        return f"{self.silver}/rejects" if layer == "silver_rejects" else str(getattr(self, layer))
