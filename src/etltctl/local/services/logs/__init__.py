"""CloudWatch Logs over the log files of Glue's job runs."""
