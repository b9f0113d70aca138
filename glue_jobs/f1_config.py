"""The settings of the Formula 1 jobs: the file beside this module, overridden by the job's `--config`."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "f1_config.json"


def read_config(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with overrides laid over them; KeyError names a setting that does not exist."""
    folders = [
        Path(__file__).parent,
        Path(),
        *map(Path, sys.path),
    ]  # Glue: modules in one place, files in another
    file = next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
    if file is None:
        raise FileNotFoundError(f"{FILE} is neither beside the script nor in the working directory")
    config = json.loads(file.read_text("utf-8"))
    unknown = sorted(set(overrides) - set(config))
    if unknown:
        raise KeyError(f"no such Formula 1 settings: {', '.join(unknown)}")
    return {**config, **overrides}


def config_hash(config: Mapping[str, Any]) -> str:
    """The first 12 hex digits of the SHA-256 of the settings in canonical JSON."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]
