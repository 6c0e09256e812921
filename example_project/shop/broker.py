"""Celery's file broker, with messages that appear whole.

Kombu writes a message into the folder from which workers read, so that a busy machine lets a worker read half of one,
which ends the worker. Here it is written beside and then renamed.
"""

import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Writes a message under another name first."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # two bases, two signatures
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        draft = Path(self.data_folder_out) / f"{name}.draft"
        try:
            draft.write_text(dumps(payload), encoding="utf-8")
            os.replace(draft, draft.with_name(name))
        except OSError as error:
            raise ChannelError(f"Cannot add the message {name}") from error


class Transport(filesystem.Transport):
    """The file broker with that channel."""

    Channel = Channel
