"""Does a test fail when the code is wrong? ``python -m tests.mutation --help``."""
