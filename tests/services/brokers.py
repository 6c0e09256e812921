"""Brokers that belong to the tests, so that they can be killed and started again."""

import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.conftest import missing
from tests.services import processes


class Broker(ABC):
    """One process on a port that nobody else has."""

    name: ClassVar[str]
    scheme: ClassVar[str]
    # Debian's rabbitmq-server on the PATH is a wrapper that runs for two users only; the real one stands here.
    folders: ClassVar[str] = f"/usr/lib/rabbitmq/bin{os.pathsep}{os.environ['PATH']}"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._binary = shutil.which(self.name, path=self.folders) or missing(self.name)
        self._port = free_port()
        self._restart: threading.Thread | None = None
        self.address = f"{self.scheme}://127.0.0.1:{self._port}//"

    @abstractmethod
    def options(self, port: int) -> list[str]:
        """What its command line says."""

    def environment(self, port: int) -> Mapping[str, str]:
        """What it is told besides."""
        return {}

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        log = self._folder / f"{self.name}.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._binary, *self.options(self._port)],
                cwd=self._folder,
                env={**os.environ, "HOME": str(self._folder), **self.environment(self._port)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while not _answers(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.name} did not start:\n{log.read_text()}")
            time.sleep(0.05)

    def restart(self, pause: float) -> None:
        """Kill it now, and start it again after a pause, while the caller goes on."""
        self.wait_until_restarted()
        processes.kill(self._process)
        self._restart = threading.Thread(target=self._start_after, args=(pause,))
        self._restart.start()

    def wait_until_restarted(self) -> None:
        """Wait for the end of a restart that is under way."""
        if self._restart:
            self._restart.join()
            assert _answers(self._port), f"{self.name} did not come back"

    def stop(self) -> None:
        """End it, whatever it is doing."""
        if self._restart:
            self._restart.join()
        processes.kill(self._process)

    def _start_after(self, pause: float) -> None:
        time.sleep(pause)
        self.start()


class Redis(Broker):
    """Keeps nothing on disk, so a restart loses every message."""

    name = "redis-server"
    scheme = "redis"

    def options(self, port: int) -> list[str]:
        return ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]


class RabbitMQ(Broker):
    """A node of its own, which keeps its messages over a restart."""

    name = "rabbitmq-server"
    scheme = "amqp"

    def options(self, port: int) -> list[str]:
        return []

    def environment(self, port: int) -> Mapping[str, str]:
        return {
            "RABBITMQ_NODENAME": f"dana-test-{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "no-plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "no-config"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
        }


BROKERS: dict[str, type[Broker]] = {"redis": Redis, "rabbitmq": RabbitMQ}


def free_port() -> int:
    """Return a port below those that the system hands out, so that nobody takes it during a restart."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
