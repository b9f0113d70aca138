"""AWS STS: the callers and the sessions of roles."""
