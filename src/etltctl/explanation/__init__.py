"""The explanation of a failed run: cause, evidence, state of the data, cost, and the next command."""
