"""Settings of the Airflow tasks."""

from __future__ import annotations

from typing import Literal

from etltctl.settings.section import Section


class Airflow(Section):
    """How tasks wait, and what becomes of remote work when Airflow ends one that waits.

    `deferrable`: hand the wait to a triggerer, which holds no worker slot; `auto` if one serves.
    """

    deferrable: bool | Literal["auto"] = "auto"
    on_kill: Literal["stop", "detach"] = "stop"
