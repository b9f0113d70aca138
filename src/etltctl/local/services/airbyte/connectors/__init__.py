"""Real Airbyte connectors: each runs in an environment and a process of its own, and speaks the Airbyte protocol."""
