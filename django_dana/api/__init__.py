"""The REST API: orders and their requests for the shop's programs, and the state of one order for its buyer."""
