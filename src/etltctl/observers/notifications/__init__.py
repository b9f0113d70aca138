"""Messages about the ends of runs: a JSON document, Slack, Microsoft Teams, and Amazon SNS."""

from etltctl.observers.notifications.notification import SCHEMA, Notification
from etltctl.observers.notifications.observer import Notifications, open_notifications
from etltctl.observers.notifications.trial import TrialResult, send_trial

__all__ = ["SCHEMA", "Notification", "Notifications", "TrialResult", "open_notifications", "send_trial"]
