"""Lake Formation as code: the settings against what is there, applied so that no access is lost too early.

Desired and actual state have one canonical form (`model`). Their difference is a pure function (`changes`), put into an
order that keeps access (`order`). Applying it leads to a state whose plan is empty.
"""

from etltctl.governance.apply import apply
from etltctl.governance.audit import Access, audit
from etltctl.governance.changes import Change
from etltctl.governance.needs import Finding
from etltctl.governance.plan import Plan, plan
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
