"""What the settings of every source have: how Airbyte syncs it, and how many rows a sync must bring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from etltctl.settings.section import IdText, Section
from etltctl.values import INCREMENTAL, OVERWRITE


def _schedule(text: str) -> str:
    # Quartz has six or seven fields, with seconds first: Unix's five would be read as another time.
    if text != "manual" and not re.fullmatch(r"cron( \S+){6,7}", text):
        raise ValueError(
            f"must be 'manual', or 'cron' and a Quartz expression like 'cron 0 0 3 * * ?', got {text!r}"
        )
    return text


class Connected(Section):
    """How Airbyte syncs a source. etltctl and Airflow start the syncs, unless `schedule` is a cron."""

    schedule: Annotated[str, AfterValidator(_schedule)] = Field(
        default="manual",
        description="`manual`, or `cron` and a Quartz expression by which Airbyte itself starts syncs",
    )
    sync_mode: Literal["full_refresh_overwrite", "full_refresh_append", "incremental_append"] = Field(
        default=OVERWRITE,
        description=(
            "whether the files of a sync replace the earlier ones or are added to them; `incremental_append` reads "
            "only what is new and adds it"
        ),
    )
    schema_changes: Literal["ignore", "disable_connection", "propagate_columns", "propagate_fully"] = Field(
        default="propagate_columns", description="what Airbyte does with new columns of the source"
    )


class Source(Connected):
    """A source's Airbyte connection, its prefix in bronze, and the rows that its syncs must bring."""

    connection_id: IdText = Field(
        default="",
        description=(
            "the id of the Airbyte connection, or a reference to it; if unset, the connection that "
            "`connections apply` made"
        ),
    )
    prefix: str | None = Field(
        default=None, description="the source's folder in bronze; the source's name unless set"
    )
    min_rows: int = Field(
        default=1,
        ge=0,
        description=(
            "a sync with fewer rows fails (exit 6); of an incremental source, a sync after which bronze holds fewer"
        ),
    )
    max_drop_pct: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="a sync with this many per cent fewer rows than the one before fails (exit 6)",
    )
    allow_empty: bool = Field(default=False, description="whether a sync without rows is allowed")

    def folders(self) -> dict[str, str]:
        """Return the folder of each stream below the source's own folder, by the stream's part of a table's name."""
        raise NotImplementedError

    @property
    def names(self) -> Sequence[str]:
        """The streams or collections, as the source calls them."""
        raise NotImplementedError

    @property
    def connector(self) -> str | None:
        """The manifest of the low-code connector that reads the source; None if another connector does."""
        return None

    @property
    def is_described(self) -> bool:
        """Whether the settings say all that Airbyte needs to make the source."""
        return True

    @property
    def has_extractor(self) -> bool:
        """Whether the embedded server reads the source by its own code, and not by a connector."""
        return True

    @property
    def airbyte_namespace(self) -> str:
        """The namespace that Airbyte has for the streams; empty if they have none, or Airbyte decides."""
        return ""

    @property
    def least_rows(self) -> int:
        """The fewest rows a sync may bring; of an incremental source, the fewest that bronze holds after it."""
        return 0 if self.allow_empty else self.min_rows

    @property
    def named_seasons(self) -> Sequence[int]:
        """The seasons that the settings name, in their order; empty if they name none, or the source has no seasons."""
        return ()

    @property
    def is_incremental(self) -> bool:
        """Whether a sync reads only what is new."""
        return self.sync_mode == INCREMENTAL
