"""Write pip constraints for the lowest versions that pyproject.toml allows, for the app and its test suite."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("api", "demo", "metrics", "progress", "test")
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[\w,-]+\])?>=(?P<floor>[\d.]+)")


def main(output: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(each for extra in EXTRAS for each in optional[extra])]
    floors = {}
    for requirement in requirements:
        if requirement.startswith(project["name"]):
            continue
        if not (found := REQUIREMENT.match(requirement)):
            sys.exit(f"{requirement} names no lowest version")
        floors[found["name"]] = found["floor"]
    Path(output).write_text("".join(f"{name}=={floor}\n" for name, floor in sorted(floors.items())))


if __name__ == "__main__":
    main(sys.argv[1])
