"""Lake Formation: its records, and which caller may see or change which part of a table."""
