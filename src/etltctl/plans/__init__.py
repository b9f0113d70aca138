"""Plan and apply, written once: the changes of a plan, how they are printed, and who agreed to them."""

from etltctl.plans.consent import Consent
from etltctl.plans.plan import Change, Plan, count, lines, outcome

__all__ = ["Change", "Consent", "Plan", "count", "lines", "outcome"]
