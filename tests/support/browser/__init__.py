"""A real browser for the report's page; its scripts run in the environment `.browser`."""
