"""Lake Formation as code: what the settings want against what is, applied so that nothing is taken away too early.

Desired and actual state have one canonical form (`model`), the difference is a pure function (`changes`), and applying
it leads to a state whose plan is empty.
"""

from etltctl.governance.auditing import Access, audit
from etltctl.governance.needs import Finding
from etltctl.governance.ordering import Change
from etltctl.governance.planning import Plan, apply, plan
from etltctl.governance.preflight import preflight, require_access, require_access_of_steps
from etltctl.governance.who import Seen, who

__all__ = [
    "Access",
    "Change",
    "Finding",
    "Plan",
    "Seen",
    "apply",
    "audit",
    "plan",
    "preflight",
    "require_access",
    "require_access_of_steps",
    "who",
]
