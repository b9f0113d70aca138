"""What follows a run from outside: lineage events, notifications and traces. None of them can fail or delay the run."""

from etltctl.observers.observation import observed
from etltctl.observers.observer import Observation, Observer

__all__ = ["Observation", "Observer", "observed"]
