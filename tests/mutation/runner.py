"""Run the tests that execute a changed line, in a copy of the project, and see whether one fails."""

import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import coverage

from tests.mutation.mutants import Mutant

ROOT = Path(__file__).parents[2]
PACKAGE = "django_dana"
CACHE = ROOT / ".mutation"
_COPIED = (PACKAGE, "tests", "docs", "example_project")
# as in the default suite, but in one process, in a fixed order, and without what only slows a failing run down
_PYTEST = ("-m", "pytest", "-n", "0", "-p", "no:randomly", "-p", "tests.mutation.plugin", "--tb=no", "--no-header")
_STARTING = 30.0


class Verdict(Enum):
    KILLED = "killed"
    TIMED_OUT = "killed by the time limit"
    SURVIVED = "survived"
    NOT_RUN = "no test runs this line"
    BROKEN = "the test run itself failed"


@dataclass(frozen=True, slots=True)
class Result:
    mutant: Mutant
    verdict: Verdict
    tests: int
    seconds: float
    killer: str = ""

    @property
    def is_alive(self) -> bool:
        return self.verdict not in (Verdict.KILLED, Verdict.TIMED_OUT)


@dataclass(slots=True)
class Map:
    """Which test runs which line, and how long each takes."""

    seconds: dict[str, float] = field(default_factory=dict)
    by_line: dict[str, dict[int, set[str]]] = field(default_factory=dict)

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Return the tests that can notice, quickest first.

        What runs only while a module is imported, such as a table, is noticed by the tests of the whole module.
        """
        lines = self.by_line.get(mutant.module, {})
        # of a statement over several lines only the first one counts as run
        known = [line for line in lines if line <= mutant.line]
        if not known:
            return []
        tests = lines[max(known)]
        names = (tests - {""}) or set().union(*lines.values()) - {""}
        return sorted(names, key=lambda name: (self.seconds.get(name, 0.0), name))


def copy_project(folder: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", "var", "_build", ".hypothesis")
    for name in _COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy2(path, folder)


def environment(**more: str) -> dict[str, str]:
    """Return the environment of the default suite: no services, and an SQLite database in the memory of the process."""
    left_out = ("DATABASE_URL", "CELERY_BROKER_URL", "CI", "PYTEST_ADDOPTS")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}


# -- the map --------------------------------------------------------------------------------------------------------


def load_map(jobs: int, tests: Sequence[str]) -> Map:
    """Return the map of the code as it is, which takes a run of these tests unless nothing has changed since."""
    digest = hashlib.sha256(repr(sorted(tests)).encode())
    for name in (PACKAGE, "tests"):
        for path in sorted((ROOT / name).rglob("*")):
            if path.suffix in (".py", ".html", ".toml", ".mo") and "mutation" not in path.parts:
                digest.update(str(path).encode() + path.read_bytes())
    cached = CACHE / f"map-{digest.hexdigest()[:16]}.json"
    if not cached.exists():
        CACHE.mkdir(exist_ok=True)
        for old in CACHE.glob("map-*.json"):
            old.unlink()
        measured = _measure(jobs, tests)
        lists = {
            module: {line: sorted(tests) for line, tests in lines.items()} for module, lines in measured.by_line.items()
        }
        cached.write_text(json.dumps({"seconds": measured.seconds, "by_line": lists}))
    content = json.loads(cached.read_text())
    by_line = {
        module: {int(line): set(tests) for line, tests in lines.items()} for module, lines in content["by_line"].items()
    }
    return Map(content["seconds"], by_line)


def _measure(jobs: int, tests: Sequence[str]) -> Map:
    """Run the tests once under coverage, their files dealt out to so many processes."""
    paths = [ROOT / name for name in tests]
    files = {file for path in paths for file in (path.rglob("test_*.py") if path.is_dir() else [path])}
    by_size = sorted(files, key=lambda path: path.stat().st_size)
    measured = Map()
    with ThreadPoolExecutor(jobs) as pool:
        for seconds, data in pool.map(_measure_files, [by_size[start::jobs] for start in range(jobs)]):
            measured.seconds.update(seconds)
            for path in data.measured_files():
                module = path.partition(f"/{PACKAGE}/")[2]
                lines = measured.by_line.setdefault(module, {})
                for line, tests in data.contexts_by_lineno(path).items():
                    lines.setdefault(line, set()).update(tests)
    return measured


def _measure_files(files: list[Path]) -> tuple[dict[str, float], coverage.CoverageData]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_project(folder)
        (folder / "measure.ini").write_text(f"[run]\nsource = {PACKAGE}\nconcurrency = thread\n")
        if not files:
            return {}, coverage.CoverageData(no_disk=True)
        command = [sys.executable, "-m", "coverage", "run", "--rcfile=measure.ini", *_PYTEST]
        arguments = [str(path.relative_to(ROOT)) for path in files]
        durations = folder / "durations.json"
        done = subprocess.run(
            [*command, *arguments], cwd=folder, env=environment(MUTATION_DURATIONS=str(durations)), capture_output=True
        )
        if done.returncode:
            raise SystemExit(f"The suite must be green first.\n{done.stdout.decode()}{done.stderr.decode()}")
        data = coverage.CoverageData(str(folder / ".coverage"))
        data.read()
        memory = coverage.CoverageData(no_disk=True)
        memory.update(data)
        return json.loads(durations.read_text()), memory


# -- the runs -------------------------------------------------------------------------------------------------------


def run_all(mutants: Iterable[Mutant], tests: Map, jobs: int, patience: float) -> Iterator[Result]:
    """Yield what became of each mutant.

    Args:
        patience: how many times as long as usual the tests may take.
    """
    with ExitStack() as stack:
        folders: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for _ in range(jobs):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            copy_project(folder)
            folders.put(folder)

        def run(mutant: Mutant) -> Result:
            folder = folders.get()
            try:
                return _run(mutant, tests, folder, patience)
            finally:
                folders.put(folder)

        pool = stack.enter_context(ThreadPoolExecutor(jobs))
        yield from pool.map(run, mutants)


def _run(mutant: Mutant, tests: Map, folder: Path, patience: float) -> Result:
    wanted = tests.tests_of(mutant)
    if not wanted:
        return Result(mutant, Verdict.NOT_RUN, 0, 0.0)
    (folder / "wanted.txt").write_text("\n".join(wanted))
    path = folder / PACKAGE / mutant.module
    source = path.read_bytes()
    path.write_bytes(mutant.apply(source))
    limit = _STARTING + patience * sum(tests.seconds.get(name, 0.0) for name in wanted)
    started = time.monotonic()
    try:
        verdict, killer = _pytest(folder, sorted({name.partition("::")[0] for name in wanted}), limit)
    finally:
        path.write_bytes(source)
    return Result(mutant, verdict, len(wanted), time.monotonic() - started, killer)


def _pytest(folder: Path, files: list[str], limit: float) -> tuple[Verdict, str]:
    command = [sys.executable, *_PYTEST, "-x", "-rfE", *files]
    wanted = str(folder / "wanted.txt")
    # a session of its own, so that what a test has started ends with it
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(MUTATION_TESTS=wanted),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        return Verdict.TIMED_OUT, ""
    failed = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    match process.returncode:
        case 0:
            return Verdict.SURVIVED, ""
        # 2 to 4: the module can't be imported any more
        case 1 | 2 | 3 | 4:
            return Verdict.KILLED, failed[0] if failed else ""
    return Verdict.BROKEN, output[-500:]
