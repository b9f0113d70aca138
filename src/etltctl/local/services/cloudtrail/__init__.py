"""CloudTrail: the event history of what the services record."""
