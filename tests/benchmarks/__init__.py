"""How much is added to what can't be avoided: ``python -m tests.benchmarks``."""
