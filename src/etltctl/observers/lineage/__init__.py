"""OpenLineage events of runs and steps, made from the ledger's events alone: live, and again from the record."""

from etltctl.observers.lineage.origin import origin_of_run
from etltctl.observers.lineage.sending import lineage_documents, open_lineage, require_installed, send_again

__all__ = ["lineage_documents", "open_lineage", "origin_of_run", "require_installed", "send_again"]
