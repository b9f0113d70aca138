"""Real Airbyte connectors: each runs in a separate environment and process, and speaks the Airbyte protocol."""
