"""Glue's job runs: each runs its script for real, in a separate process, on real Spark if it needs Spark."""
