"""Print how long our own paths take, as ratios to a floor that is measured in the same run.

A floor does the work that no solution can avoid, by the shortest way. Ours and the floor take turns, and the medians
are compared, so that a busy machine slows down both. ``DATABASE_URL`` names the database, ``BENCH_ROWS`` how many
orders the long table has.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.benchmarks import benchmarks  # noqa: E402

benchmarks.main(rows=int(os.environ.get("BENCH_ROWS", "100000")))
