"""The template in the repository, read as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
WRITTEN = PROJECT / "deploy" / "aws" / "template.yaml"
TEMPLATE = yaml.safe_load(WRITTEN.read_text("utf-8"))


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of every resource of a type, by logical id."""
    matching = {name: facts for name, facts in TEMPLATE["Resources"].items() if facts["Type"] == kind}
    return {name: facts["Properties"] for name, facts in matching.items()}
