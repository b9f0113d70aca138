"""Causes of failed runs: the catalogue, and the classifier that finds the cause of one failure."""

from etltctl.causes.catalogue import UNKNOWN, catalogue, cause_of_code, names_of
from etltctl.causes.classifier import diagnose
from etltctl.causes.model import Cause, Confidence, Diagnosis, Failure, Line, Retry
from etltctl.causes.records import cause_and_proof, fix_of

__all__ = [
    "UNKNOWN",
    "Cause",
    "Confidence",
    "Diagnosis",
    "Failure",
    "Line",
    "Retry",
    "catalogue",
    "cause_and_proof",
    "cause_of_code",
    "diagnose",
    "fix_of",
    "names_of",
]
