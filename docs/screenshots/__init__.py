"""The screenshots of the documentation, taken in a real browser."""
