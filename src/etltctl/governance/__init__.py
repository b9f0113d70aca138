"""Lake Formation as code: the settings against what is there, applied so that no access is lost too early.

One `govern apply` runs through these modules:

    plan        read the settings (`desired`) and the services (`actual`, `shapes`) into one canonical form (`model`)
    problems    refuse settings that contradict the catalog
    changes     the difference of the two, as typed changes
    order       the order in which no access is lost on the way; `simulate` and `rights` try it in memory
    apply       ask for consent, make the changes (`writer` gathers grants), and plan again, until the plan is empty

`needs` and `preflight` check before a run what its steps need, `who` answers who sees what, `audit` who has read what.
"""

from etltctl.governance.apply import apply
from etltctl.governance.audit import Access, audit
from etltctl.governance.changes import Change
from etltctl.governance.needs import Finding
from etltctl.governance.plan import Plan, plan
from etltctl.governance.preflight import preflight, require_access
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
    "who",
]
