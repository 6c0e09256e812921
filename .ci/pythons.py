"""Print the interpreter of a Python version that this machine has: ``pythons.py 3.12``, or ``pythons.py newest``.

Looks on PATH and in pyenv's folder of versions, where the shims on PATH answer for the chosen version only.
Exit status 1 and no output: not there.
"""

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

ASK = "import ensurepip, sys, venv; print(*sys.version_info[:3], sys.version_info.releaselevel)"


def candidates() -> Iterator[str]:
    for minor in range(11, 30):
        if path := shutil.which(f"python3.{minor}"):
            yield path
    if pyenv := shutil.which("pyenv"):
        asked = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False)
        yield from glob.glob(os.path.join(asked.stdout.strip(), "versions", "*", "bin", "python3"))


def found() -> dict[tuple[int, ...], str]:
    """Return the released interpreters that can make an environment, by version."""
    versions = {}
    for path in candidates():
        asked = subprocess.run([path, "-c", ASK], capture_output=True, text=True, check=False)
        *numbers, level = asked.stdout.split() or ["none"]
        if asked.returncode == 0 and level == "final":
            versions.setdefault(tuple(map(int, numbers)), path)
    return versions


def main(wanted: str) -> int:
    versions = found()
    if wanted != "newest":
        prefix = tuple(map(int, wanted.split(".")))
        versions = {version: path for version, path in versions.items() if version[: len(prefix)] == prefix}
    if not versions:
        return 1
    sys.stdout.write(f"{versions[max(versions)]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
