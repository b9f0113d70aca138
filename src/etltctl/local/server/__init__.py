"""The server process: its lifetime, its door, its routing, its faults on demand, and moto's records."""
