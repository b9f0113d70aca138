"""The settings of the weather jobs: the file beside this module, overridden by the job's `--config`."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "weather_config.json"


def read_config(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with overrides laid over them (`places` by place); KeyError names a setting that does not exist."""
    config = json.loads(_config_file().read_text("utf-8"))
    unknown = sorted(set(overrides) - set(config))
    if unknown:
        raise KeyError(f"no such weather settings: {', '.join(unknown)}")
    places = {**config["places"], **overrides.get("places", {})}
    return {**config, **overrides, "places": places}


def config_hash(config: Mapping[str, Any]) -> str:
    """The first 12 hex digits of the SHA-256 of the settings in canonical JSON."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def _config_file() -> Path:
    """Glue imports modules from one place and puts extra files in the working directory, another."""
    folders = [Path(__file__).parent, Path(), *map(Path, sys.path)]
    for folder in folders:
        if (folder / FILE).is_file():
            return folder / FILE
    raise FileNotFoundError(f"{FILE} is neither beside the script nor in the working directory")
