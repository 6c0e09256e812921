"""DANA's notification door: Finish Notify, service 56."""
