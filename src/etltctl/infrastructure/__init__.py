"""The CloudFormation stack: what the settings describe, planned, deployed, taken down, and written out to read."""

from etltctl.infrastructure.alarm_check import SentAlarm, send_test_alarm
from etltctl.infrastructure.deploying import Deployed, Removal, Watcher, deploy, destroy, plan_removal
from etltctl.infrastructure.planning import Change, Plan, plan
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
