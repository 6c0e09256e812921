"""Start the shop's four processes, wait until each answers, and end them all."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import requests
from django.conf import settings

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0


class DemoError(Exception):
    """Something did not go as it should; the text is for the person who started the demo."""


@dataclass
class Shop:
    """Web, worker, beat and simulator as child processes; ends them when the block ends, however it ends.

    Args:
        port: of the shop.
        simulator_port: of the DANA simulator.
    """

    port: int
    simulator_port: int
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the shop is."""
        return f"http://{HOST}:{self.port}"

    @property
    def simulator_url(self) -> str:
        """Where DANA is."""
        return f"http://{HOST}:{self.simulator_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are told."""
        return {
            **os.environ,
            "SHOP_URL": self.url,
            "SIMULATOR_URL": self.simulator_url,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(settings.PROJECT),
        }

    def __enter__(self) -> "Shop":
        for port, option in ((self.port, "--port"), (self.simulator_port, "--simulator-port")):
            check_port(port, option)
        try:
            self._start_all()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_all(self) -> None:
        self.manage("migrate", "--verbosity", "0")
        simulator_key = str(settings.VAR / "simulator-key.pem")
        self._start(
            "simulator",
            [*_MANAGE, "dana_simulator", "--port", str(self.simulator_port), "--private-key-file", simulator_key],
        )
        self._start("web", [*_MANAGE, "runserver", "--noreload", f"{HOST}:{self.port}"])
        worker = ["worker", "--pool", "threads", "--concurrency", "4", "--loglevel", "INFO", "--without-mingle"]
        self._start("worker", [*_CELERY, *worker, "--without-gossip"])
        schedule, pid = settings.VAR / "beat-schedule", settings.VAR / "beat.pid"
        pid.unlink(missing_ok=True)
        beat = ["beat", "--loglevel", "INFO", "--schedule", str(schedule), "--pidfile", str(pid)]
        self._start("beat", [*_CELERY, *beat])
        self._wait("simulator", lambda: _answers(f"{self.simulator_url}/simulator/health"))
        self._wait("web", lambda: _answers(self.url))
        self._wait("worker", lambda: " ready." in self.log("worker"))
        self._wait("beat", lambda: "beat: Starting" in self.log("beat"))

    def manage(self, *args: str) -> None:
        """Run a management command to its end."""
        command = [*_MANAGE, *args]
        done = subprocess.run(  # noqa: S603
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DemoError(f"manage.py {args[0]} failed:\n{done.stdout}{done.stderr}")

    def _start(self, name: str, command: Sequence[str]) -> None:
        with self._open_log(name) as log:
            # A group of its own, so that Ctrl-C reaches us alone and we end the children in order.
            self._children[name] = subprocess.Popen(  # noqa: S603
                command,
                cwd=settings.PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _open_log(self, name: str) -> IO[bytes]:
        LOGS.mkdir(parents=True, exist_ok=True)
        return (LOGS / f"{name}.log").open("wb")

    def log(self, name: str) -> str:
        """Return what a process has printed so far."""
        return (LOGS / f"{name}.log").read_text(errors="replace")

    def _wait(self, name: str, answers: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            ended = self._children[name].poll() is not None
            if ended or time.monotonic() > deadline:
                what = "ended at once" if ended else f"did not answer in {START_SECONDS:.0f} s"
                raise DemoError(f"The {name} {what}. Its last words:\n{self.last_words(name)}")
            time.sleep(0.2)

    def last_words(self, name: str) -> str:
        """Return the end of a process' log."""
        return "\n".join(self.log(name).splitlines()[-15:])

    def ended(self) -> list[str]:
        """Return the names of processes that are not running any more."""
        return [name for name, child in self._children.items() if child.poll() is not None]

    def stop(self) -> None:
        """End every process, the politely asked ones after a while by force."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for child in self._children.values():
                _signal(child, number)
            deadline = time.monotonic() + STOP_SECONDS
            for child in self._children.values():
                _wait_for(child, deadline)


LOGS: Final = Path(settings.VAR) / "logs"
_MANAGE: Final = (sys.executable, str(settings.PROJECT / "manage.py"))
_CELERY: Final = (sys.executable, "-m", "celery", "-A", "shop")


def check_port(port: int, option: str) -> None:
    """Raise DemoError with a plain sentence where a port is taken."""
    with socket.socket() as probe:
        # as the servers themselves do, so that a port which only rests after a run is not called taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise DemoError(f"Port {port} is taken. Choose another with {option}.") from None


def start_afresh() -> None:
    """Forget earlier runs, but for the keys. A database or broker that somebody named is left alone."""
    for path in (settings.SQLITE, *settings.SQLITE.parent.glob(f"{settings.SQLITE.name}-*")):
        path.unlink(missing_ok=True)
    for folder in (settings.VAR / "broker").glob("*"):
        shutil.rmtree(folder)
        folder.mkdir()
    for path in settings.VAR.glob("beat-schedule*"):
        path.unlink()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if child.poll() is None:
        os.killpg(child.pid, number)


def _wait_for(child: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return
