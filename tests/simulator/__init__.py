"""The simulator, spoken to as a stranger's program would: plain HTTP, signed without our client."""
