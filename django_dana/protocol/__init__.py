"""DANA's words in plain Python: operations, code tables, signature, messages, notation."""
