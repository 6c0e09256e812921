"""DANA's state and rules, without HTTP: orders, refunds, operations, faults, notifications. Never imports the web."""
