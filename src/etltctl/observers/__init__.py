"""Observers of a run: lineage events, notifications and traces.

None of them can fail a run, and its end waits at most ten seconds for all of them.
"""

from etltctl.observers.lineage import lineage_documents, origin_of_run, send_again
from etltctl.observers.observation import observed
from etltctl.observers.observer import Observation, Observer

__all__ = ["Observation", "Observer", "lineage_documents", "observed", "origin_of_run", "send_again"]
