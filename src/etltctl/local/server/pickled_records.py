"""The records that etltctl 0.1.0 pickled: read once, and only if they can hold nothing but records."""

from __future__ import annotations

import io
import os
import pickle
import stat
from collections import OrderedDict, defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from etltctl.local.server.backend_data import MODULES, known_class

FORMAT = 1
# Everything else that such a pickle may name. No function but the one that makes patterns: it runs nothing.
PLAIN: dict[tuple[str, str], Any] = {
    **{
        ("builtins", kind.__name__): kind for kind in (list, dict, set, frozenset, tuple, int, str, bytearray)
    },
    **{("datetime", kind.__name__): kind for kind in (datetime, timedelta, timezone)},
    **{("collections", kind.__name__): kind for kind in (OrderedDict, defaultdict)},
}


def read_pickled(path: Path, moto: str) -> dict[str, dict[str, Any]]:
    """Return the backends by service and region.

    Raises:
        ValueError, pickle.UnpicklingError: the file is another user's, may be written by others, names anything
            but records, or was written by another version of moto.
    """
    _refuse_foreign(path)
    content = _load(path.read_bytes())
    if (content["format"], content["moto"]) != (FORMAT, moto):
        raise ValueError(f"written by moto {content['moto']}")
    return {name: _load(data) for name, data in content["services"].items()}


class _Records(pickle.Unpickler):
    """Finds the classes of records, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("re", "_compile"):
            import re

            return re.compile
        if module in MODULES:
            return known_class(module, name)
        try:
            return PLAIN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no record holds") from None


def _load(content: bytes) -> Any:
    return _Records(io.BytesIO(content)).load()


def _refuse_foreign(path: Path) -> None:
    for place in (path, path.parent):
        told = place.stat()
        if told.st_uid != os.geteuid():
            raise ValueError(f"{place} belongs to another user (uid {told.st_uid})")
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError(f"other users may write {path.name}")
