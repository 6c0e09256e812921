"""DANA's answer to a call, before it becomes an HTTP reply."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer.

    Attributes:
        code, message: responseCode and responseMessage.
        content: the other fields of the body.
        why: the reason of a refusal, which X-Debug-Mode reveals.
    """

    code: str
    message: str
    content: dict[str, Any] = field(default_factory=dict)
    why: str = ""


class Refusal(Exception):
    """DANA refuses the call.

    Attributes:
        case: HTTP status and case, e.g. ``40418``; or a whole responseCode of seven digits.
        field: the field that the message names, if any.
        why: the reason that X-Debug-Mode reveals.
        body: the body of the call, as far as it was parsed: some of its fields are repeated.
    """

    def __init__(self, case: str, why: str, *, field: str = "", body: dict[str, Any] | None = None) -> None:
        super().__init__(case, why, field)
        self.case = case
        self.why = why
        self.field = field
        self.body = body or {}
