"""Lake Formation as code: the settings against what is there, applied so that no access is lost too early.

One `govern apply` runs through these modules:

    plan        read the settings (`desired`) and the services (`actual`, `shapes`) into one canonical form (`model`)
    contradictions  refuse settings that contradict the catalog
    changes     the difference of the two, as typed changes
    order       the order in which no access is lost on the way; `simulate` and `rights` try it in memory
    apply       ask for consent, make the changes (`writer` gathers grants), and plan again, until the plan is empty

`needs` says which permissions the steps need, `unmet_needs` which of them a state does not give, and
`permission_check` asks so before a run. `access` computes what grants add up to. `who` answers who sees what,
`reads_on_record` who has read what.
"""

from etltctl.governance.apply import apply
from etltctl.governance.changes import Change
from etltctl.governance.needs import CatalogChanges
from etltctl.governance.permission_check import missing_permissions, require_access
from etltctl.governance.plan import Plan, plan
from etltctl.governance.reads_on_record import Access, read_accesses
from etltctl.governance.unmet_needs import MissingPermission
from etltctl.governance.who import Seen, who

__all__ = [
    "Access",
    "CatalogChanges",
    "Change",
    "MissingPermission",
    "Plan",
    "Seen",
    "apply",
    "missing_permissions",
    "plan",
    "read_accesses",
    "require_access",
    "who",
]
