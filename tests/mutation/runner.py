"""Run the tests that execute a changed line, in a copy of the project, and see whether one fails."""

import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate
from pathlib import Path
from typing import Any, TypedDict

import coverage

from tests.mutation.live import is_in_a_function
from tests.mutation.mutants import Mutant

ROOT = Path(__file__).parents[2]
PACKAGE = "django_dana"
CACHE = ROOT / ".mutation"
_KILLERS = CACHE / "killers.json"
_COPIED = (PACKAGE, "tests", "docs", "example_project")
# as in the default suite, but in one process, in a fixed order, and without what only slows a failing run down
_OPTIONS = ("-n", "0", "-p", "no:randomly", "-p", "tests.mutation.plugin", "--tb=no", "--no-header")
_STARTING = 10.0


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


class Part(TypedDict):
    """What one test file has to say: how long its tests take, and the tests that run a line of a module."""

    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]]


@dataclass(slots=True)
class Map:
    """Which test runs which line, how long each takes, which are too slow, and which noticed a mutant the last time."""

    seconds: dict[str, float] = field(default_factory=dict)
    by_line: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    killers: dict[str, str] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    _near: defaultdict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, part: Part) -> None:
        self.seconds |= part["seconds"]
        for module, lines in part["lines"].items():
            known = self.by_line.setdefault(module, {})
            for line, tests in lines.items():
                known.setdefault(int(line), set()).update(tests)

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Return the tests that can notice: the one that did so the last time, those that noticed another mutant of the
        same function or class, then one case of each test, the quickest first, then another case of each ...

        What runs only while a module is imported, such as a table, is noticed by the tests of the whole module.
        """
        tests = self._at(mutant)
        names = (tests - {""}) or set().union(*self.by_line.get(mutant.module, {}).values()) - {""}
        killer = self.killers.get(mutant.name)
        near = self._near[mutant.module, mutant.scope]
        cases: Counter[str] = Counter()
        ordered = []
        for name in sorted(names - self.slow if tests else (), key=lambda name: (self.seconds.get(name, 0.0), name)):
            test = name.partition("[")[0]
            cases[test] += 1
            ordered.append((name != killer, name not in near, cases[test], name))
        # the sort keeps the order of the quickest, which the names would undo
        return [name for *_, name in sorted(ordered, key=lambda each: each[:3])]

    def note(self, mutant: Mutant, killer: str) -> None:
        self.killers[mutant.name] = killer
        self._near[mutant.module, mutant.scope].add(killer)

    def runs_at_import(self, mutant: Mutant) -> bool:
        return "" in self._at(mutant)

    def _at(self, mutant: Mutant) -> set[str]:
        lines = self.by_line.get(mutant.module, {})
        # of a statement over several lines only the first one counts as run
        known = [line for line in lines if line <= mutant.line]
        return lines[max(known)] if known else set()


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


def load_map(jobs: int, tests: Sequence[str], slowest: float) -> Map:
    """Return the map of the code as it is: the test files that have changed since the last one are run for it.

    Args:
        slowest: tests that take longer, in seconds, are left out.
    """
    folder = CACHE / _digest(path for path in _sources() if not _is_test(path))
    paths = [ROOT / name for name in tests]
    files = sorted({file for path in paths for file in (path.rglob("test_*.py") if path.is_dir() else [path])})
    kept = {file: folder / f"{_digest([file])}.json" for file in files}
    if missing := [file for file in files if not kept[file].exists()]:
        if not folder.exists():
            for old in CACHE.glob("*/"):
                shutil.rmtree(old)
            folder.mkdir(parents=True)
        for file, part in _measure(jobs, missing):
            kept[file].write_text(json.dumps(part))
    whole = Map(killers=json.loads(_KILLERS.read_text()) if _KILLERS.exists() else {})
    for path in kept.values():
        whole.add(json.loads(path.read_text()))
    whole.slow = {name for name, seconds in whole.seconds.items() if seconds > slowest}
    return whole


def _sources() -> Iterator[Path]:
    for name in (PACKAGE, "tests"):
        for path in sorted((ROOT / name).rglob("*")):
            if path.suffix in (".py", ".html", ".mo") and "mutation" not in path.parts:
                yield path


def _is_test(path: Path) -> bool:
    return path.name.startswith("test_")


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _measure(jobs: int, files: list[Path]) -> Iterator[tuple[Path, Part]]:
    """Run these test files once under coverage, dealt out to so many processes."""
    by_size = sorted(files, key=lambda path: path.stat().st_size)
    with ThreadPoolExecutor(jobs) as pool:
        for parts in pool.map(_measure_files, [by_size[start::jobs] for start in range(jobs)]):
            yield from parts.items()


def _measure_files(files: list[Path]) -> dict[Path, Part]:
    parts: dict[Path, Part] = {file: {"seconds": {}, "lines": {}} for file in files}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_project(folder)
        (folder / "measure.ini").write_text(f"[run]\nsource = {PACKAGE}\nconcurrency = thread\n")
        if not files:
            return parts
        command = [sys.executable, "-m", "coverage", "run", "--rcfile=measure.ini", "-m", "pytest", *_OPTIONS]
        arguments = [str(path.relative_to(ROOT)) for path in files]
        durations = folder / "durations.json"
        done = subprocess.run(
            [*command, *arguments], cwd=folder, env=environment(MUTATION_DURATIONS=str(durations)), capture_output=True
        )
        if done.returncode:
            raise SystemExit(f"The suite must be green first.\n{done.stdout.decode()}{done.stderr.decode()}")
        for test, seconds in json.loads(durations.read_text()).items():
            parts[_file_of(test)]["seconds"][test] = seconds
        data = coverage.CoverageData(str(folder / ".coverage"))
        data.read()
        for path in data.measured_files():
            module = path.partition(f"/{PACKAGE}/")[2]
            for line, tests in data.contexts_by_lineno(path).items():
                for test in tests:
                    # what runs at import is no single test's: it is noted with each file
                    for part in [parts[_file_of(test)]] if test else parts.values():
                        part["lines"].setdefault(module, {}).setdefault(str(line), []).append(test)
    return parts


def _file_of(test: str) -> Path:
    return ROOT / test.partition("::")[0]


# -- the runs -------------------------------------------------------------------------------------------------------


def run_all(mutants: Iterable[Mutant], tests: Map, jobs: int, patience: float, budget: float) -> Iterator[Result]:
    """Yield what became of each mutant.

    Args:
        patience: how many times as long as usual a test may take.
        budget: seconds that the tests of one mutant take as a rule; those that would take more are left out.
    """
    with ExitStack() as stack:
        runners: queue.SimpleQueue[_Runner] = queue.SimpleQueue()
        for _ in range(jobs):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            copy_project(folder)
            runners.put(stack.enter_context(closing(_Runner(folder, tests, patience, budget))))

        def run(mutant: Mutant) -> Result:
            runner = runners.get()
            try:
                return runner.run(mutant)
            finally:
                runners.put(runner)

        stack.callback(lambda: _KILLERS.write_text(json.dumps(tests.killers, indent=0)))
        pool = stack.enter_context(ThreadPoolExecutor(jobs))
        # first those that need no new process
        for result in pool.map(run, sorted(mutants, key=tests.runs_at_import)):
            if result.killer:
                tests.note(result.mutant, result.killer)
            yield result


class _Runner:
    """Runs one mutant at a time, in a copy of the project."""

    def __init__(self, folder: Path, tests: Map, patience: float, budget: float) -> None:
        self._folder = folder
        self._tests = tests
        self._patience = patience
        self._budget = budget
        self._server: subprocess.Popen[str] | None = None

    def close(self) -> None:
        if self._server:
            self._server.kill()
            self._server.communicate()

    def run(self, mutant: Mutant) -> Result:
        wanted = self._within_budget(self._tests.tests_of(mutant))
        if not wanted:
            return Result(mutant, Verdict.NOT_RUN, 0, 0.0)
        path = self._folder / PACKAGE / mutant.module
        before = path.read_bytes()
        after = mutant.apply(before)
        started = time.monotonic()
        if not self._tests.runs_at_import(mutant) and is_in_a_function(before, after):
            verdict, killer = self._in_a_fork(mutant, after, wanted)
        else:
            verdict, killer = self._in_a_new_process(path, after, wanted)
        return Result(mutant, verdict, len(wanted), time.monotonic() - started, killer)

    def _within_budget(self, names: list[str]) -> list[str]:
        spent = accumulate(self._tests.seconds.get(name, 0.0) for name in names)
        return [name for name, seconds in zip(names, spent, strict=True) if seconds <= self._budget]

    def _in_a_fork(self, mutant: Mutant, after: bytes, wanted: list[str]) -> tuple[Verdict, str]:
        limits = [_STARTING + self._patience * self._tests.seconds.get(name, 0.0) for name in wanted]
        reply = self._ask(module=mutant.module, source=after.decode(), tests=wanted, limits=limits)
        verdict = {0: Verdict.SURVIVED, 1: Verdict.KILLED, -signal.SIGALRM: Verdict.TIMED_OUT}
        return verdict.get(reply["state"], Verdict.BROKEN), reply["killer"]

    def _ask(self, **request: object) -> dict[str, Any]:
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.mutation.server", *_OPTIONS, *self._files(self._tests.seconds)],
                cwd=self._folder,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._reply(self._server)
        assert self._server.stdin
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return self._reply(self._server)

    @staticmethod
    def _reply(server: subprocess.Popen[str]) -> dict[str, Any]:
        assert server.stdout
        reply: dict[str, Any] = json.loads(server.stdout.readline())
        return reply

    @staticmethod
    def _files(tests: Iterable[str]) -> list[str]:
        return sorted({name.partition("::")[0] for name in tests})

    def _in_a_new_process(self, path: Path, after: bytes, wanted: list[str]) -> tuple[Verdict, str]:
        (self._folder / "wanted.txt").write_text("\n".join(wanted))
        limit = 3 * _STARTING + self._patience * sum(self._tests.seconds.get(name, 0.0) for name in wanted)
        before = path.read_bytes()
        path.write_bytes(after)
        try:
            return _pytest(self._folder, self._files(wanted), limit)
        finally:
            path.write_bytes(before)


def _pytest(folder: Path, files: list[str], limit: float) -> tuple[Verdict, str]:
    # a session of its own, so that what a test has started ends with it
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *_OPTIONS, "-x", "-rfE", *files],
        cwd=folder,
        env=environment(MUTATION_TESTS=str(folder / "wanted.txt")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Verdict.TIMED_OUT, ""
    failed = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    match process.returncode:
        case 0:
            return Verdict.SURVIVED, ""
        # 2 to 4: the module can't be imported any more
        case 1 | 2 | 3 | 4:
            return Verdict.KILLED, failed[0].split()[1] if failed else ""
    return Verdict.BROKEN, output[-500:]
