"""Glue's job runs: each runs its script for real, in a process of its own, on real Spark where it needs Spark."""
