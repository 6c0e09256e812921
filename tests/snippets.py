"""The examples of the documentation, so that tests can run them."""

import re
import textwrap
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"

_BLOCK = re.compile(r"^( *)\.\. code-block:: python\n\n((?:\1 +.*\n|\n)+)", re.MULTILINE)


def python_blocks(page: str) -> list[str]:
    """Return the Python examples of a page, in order."""
    return [textwrap.dedent(block).strip() + "\n" for _, block in _BLOCK.findall((DOCS / page).read_text())]
