"""Airbyte's public API: token auth; start, poll, list and cancel the sync jobs of a connection."""

from etltctl.airbyte.client import Airbyte, wrote

__all__ = ["Airbyte", "wrote"]
