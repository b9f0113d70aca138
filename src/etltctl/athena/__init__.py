"""The client of Athena: query executions, their results, and what they cost."""

from etltctl.athena.client import Athena
from etltctl.athena.executions import cost_usd

__all__ = ["Athena", "cost_usd"]
