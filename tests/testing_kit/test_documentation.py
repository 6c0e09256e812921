"""The examples of the page *Testing your shop* are tests, and run as such."""

from tests.snippets import python_blocks

BLOCKS = [block for block in python_blocks("testing.rst") if not block.startswith("# conftest.py")]
for block in BLOCKS:
    exec(block)  # noqa: S102  our own documentation
