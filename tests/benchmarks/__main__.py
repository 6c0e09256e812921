"""Print how much our own paths add to what can't be avoided, as one table.

``DATABASE_URL`` names the database, ``BENCH_ROWS`` how many orders the long table has. On a database server, and where
``redis-server`` is installed, orders also go through real worker processes.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.benchmarks import table  # noqa: E402

table.main(rows=int(os.environ.get("BENCH_ROWS", "100000")))
