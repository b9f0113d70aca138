"""The CloudFormation stack that the settings describe: planned, deployed, destroyed and exported."""

from etltctl.infrastructure.alarms import SentAlarm, send_test_alarm
from etltctl.infrastructure.change_set import plan
from etltctl.infrastructure.deployment import Deployed, deploy
from etltctl.infrastructure.plan import Change, Plan, Removal
from etltctl.infrastructure.removal import destroy, plan_removal
from etltctl.infrastructure.stack_operation import Watcher
from etltctl.infrastructure.template import export

__all__ = [
    "Change",
    "Deployed",
    "Plan",
    "Removal",
    "SentAlarm",
    "Watcher",
    "deploy",
    "destroy",
    "export",
    "plan",
    "plan_removal",
    "send_test_alarm",
]
