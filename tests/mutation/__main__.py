"""Make small mistakes in the code that decides, and list those that no test notices.

.. code-block:: console

   $ python -m tests.mutation --sample 60 --seed 1
   $ python -m tests.mutation --only 'transitions/payments.py'

The first run of some state of the code runs the suite once, to learn which test runs which line.
"""

import argparse
import os
import random
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

import django

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.runner import PACKAGE, ROOT, Result, Verdict, load_map, run_all

# what decides: where an order's state changes, what is sent, what is heard
DECIDING = ("transitions*", "gateway*", "services*", "outbox*", "webhook*")
EQUIVALENT = Path(__file__).with_name("equivalent.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    accepted = accepted_mutants()
    mutants = [mutant for mutant in all_mutants(options.only or DECIDING) if options.named in mutant.name]
    if options.list:
        sys.stdout.writelines(f"{mutant.name}\n" for mutant in mutants)
        return 0
    if options.sample and options.sample < len(mutants):
        chosen = random.Random(options.seed).sample(range(len(mutants)), options.sample)
        mutants = [mutants[index] for index in sorted(chosen)]
    started = time.monotonic()
    _say(f"{len(mutants)} mutants. Learning which test runs which line ...")
    tests = load_map(options.jobs, options.tests or ["tests"], options.slowest)
    _say(f"... {time.monotonic() - started:.0f} s")
    results = []
    for result in run_all(mutants, tests, options.jobs, options.patience, options.budget):
        results.append(result)
        if options.verbose or result.is_alive:
            _say(_line(result, accepted))
    return _summary(results, accepted, options.least, time.monotonic() - started)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.mutation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", metavar="GLOB", help=f"modules of {PACKAGE}/, such as gateway.py")
    parser.add_argument("--named", default="", metavar="TEXT", help="only mutants whose name has this in it")
    parser.add_argument("--tests", action="append", metavar="PATH", help="test files or folders (the default suite)")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="test runs at a time (one for each core)")
    parser.add_argument("--patience", type=float, default=5.0, help="times as long as usual tests may take (5)")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds that the tests of one mutant may take (60)")
    parser.add_argument("--slowest", type=float, default=3.0, help="seconds; slower tests are left out (3)")
    parser.add_argument("--least", type=float, default=95.0, help="per cent that must die for exit status 0 (95)")
    parser.add_argument("--list", action="store_true", help="print the mutants' names and run nothing")
    parser.add_argument("--verbose", action="store_true", help="also print those that die, and by which test")
    return parser


def all_mutants(globs: Sequence[str]) -> list[Mutant]:
    """Return the mutants of the modules that the globs name: files, or packages with all that is in them."""
    package = ROOT / PACKAGE
    matches = {path for glob in globs for path in package.glob(glob)}
    files = {file for path in matches for file in (path.rglob("*.py") if path.is_dir() else [path])}
    enums = _enums()
    return [
        mutant
        for file in sorted(files)
        if file.suffix == ".py"
        for mutant in mutants_of(file, str(file.relative_to(package)), enums)
    ]


def accepted_mutants() -> dict[str, str]:
    """Return why no test can notice a mutant, by its name."""
    entries = tomllib.loads(EQUIVALENT.read_text()).get("equivalent", [])
    return {entry["mutant"]: entry["reason"] for entry in entries}


def _enums() -> dict[str, list[str]]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    found: dict[str, list[str]] = {}
    pending = [Enum]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if kind.__module__.startswith(f"{PACKAGE}."):
            found[kind.__name__] = list(kind.__members__)
    return found


def _line(result: Result, accepted: dict[str, str]) -> str:
    mutant = result.mutant
    why = f"\n    accepted: {accepted[mutant.name]}" if mutant.name in accepted else ""
    effort = f"({result.tests} tests, {result.seconds:.0f} s) {result.killer}".rstrip()
    place = f"{PACKAGE}/{mutant.module}:{mutant.line}"
    return f"{place}: {result.verdict.value} {effort}\n    {mutant.name}{why}"


def _summary(results: list[Result], accepted: dict[str, str], least: float, seconds: float) -> int:
    equivalent = [result for result in results if result.is_alive and result.mutant.name in accepted]
    alive = [result for result in results if result.is_alive and result.mutant.name not in accepted]
    wrong = [result.mutant.name for result in results if not result.is_alive and result.mutant.name in accepted]
    counted = len(results) - len(equivalent)
    share = 100 * (counted - len(alive)) / counted if counted else 100.0
    by_verdict = Counter(result.verdict for result in results)
    _say("")
    _say(f"{len(results)} mutants in {seconds / 60:.0f} min: ")
    for verdict in Verdict:
        if by_verdict[verdict]:
            _say(f"  {by_verdict[verdict]:5} {verdict.value}")
    _say(f"  {len(equivalent):5} of those alive are accepted as equivalent ({EQUIVALENT.name})")
    _say(f"{share:.1f} % of the others died.")
    if wrong:
        _say("Accepted as equivalent, but a test fails: " + "; ".join(wrong))
    if alive:
        _say("Survivors:")
        for result in alive:
            _say(f"  {PACKAGE}/{result.mutant.module}:{result.mutant.line}  {result.mutant.name}")
    return 1 if wrong or share < least else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
