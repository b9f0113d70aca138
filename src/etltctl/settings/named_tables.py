"""The names of tables in the queries of `[tables."layer.table".sql]`: `{this}` and `{layer.table}`."""

from __future__ import annotations

import re

NAMES = re.compile(r"\{([\w.]+)\}")
