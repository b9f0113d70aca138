"""The settings of a branch's jobs: a versioned JSON file next to the scripts, overridden by the job's `--config`."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WEATHER = "weather_config.json"
F1 = "f1_config.json"


def read_config(file: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the file's settings with the overrides; objects such as `places` are merged entry by entry.

    Raises KeyError with the names of settings that do not exist.
    """
    config: dict[str, Any] = json.loads(_find(file).read_text("utf-8"))
    unknown = sorted(set(overrides) - set(config))
    if unknown:
        raise KeyError(f"no such settings in {file}: {', '.join(unknown)}")
    for name, value in overrides.items():
        known = config[name]
        config[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
    return config


def config_hash(config: Mapping[str, Any]) -> str:
    """Return the first 12 hex digits of the SHA-256 of the settings in canonical JSON."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def _find(file: str) -> Path:
    """Glue imports modules from one place and puts extra files in the working directory, another."""
    folders = [Path(__file__).parent, Path(), *map(Path, sys.path)]
    for folder in folders:
        if (folder / file).is_file():
            return folder / file
    raise FileNotFoundError(f"{file} is neither next to the scripts nor in the working directory")
