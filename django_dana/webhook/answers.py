"""What a shop answers to DANA's Finish Notify.

Sources: DANA's page *Finish Notify* for 2005600, 5005601 and the two headers. No 4xx56xx code is on its list; these
follow the convention of the national standard (SNAP) that DANA's codes are built on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rest_framework.response import Response

from django_dana.models import Notification
from django_dana.protocol import notation


@dataclass(frozen=True, slots=True)
class Answer:
    """A code with its message; ``status`` is the HTTP status."""

    code: str
    message: str
    status: int

    def response(self) -> Response:
        """Return it as DANA wants it: JSON, and the time in Jakarta as X-TIMESTAMP."""
        content = {"responseCode": self.code, "responseMessage": self.message}
        headers = {"X-TIMESTAMP": notation.jakarta_time(datetime.now(UTC))}
        response = Response(content, status=self.status, headers=headers)
        # Django would log each refusal, and mail each 5005601 to the admins with all settings: a stranger could make
        # it do so without end. What is to be known is logged where it is found out, once a minute.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response


SUCCESSFUL: Final = Answer("2005600", "Successful", 200)
INVALID_FORMAT: Final = Answer("4005601", "Invalid Field Format", 400)
TOO_LARGE: Final = Answer("4005601", "Invalid Field Format", 413)
INVALID_MANDATORY_FIELD: Final = Answer("4005602", "Invalid Mandatory Field", 400)
UNAUTHORIZED: Final = Answer("4015600", "Unauthorized. Invalid Signature", 401)
NOT_FOUND: Final = Answer("4045601", "Transaction Not Found", 404)
METHOD_NOT_ALLOWED: Final = Answer("4055600", "Method Not Allowed", 405)
OUR_FAULT: Final = Answer("5005601", "Internal Server Error", 500)

BY_OUTCOME: Final = {
    Notification.Outcome.APPLIED: SUCCESSFUL,
    Notification.Outcome.KNOWN: SUCCESSFUL,
    Notification.Outcome.ATTENTION: SUCCESSFUL,
    Notification.Outcome.TEST: SUCCESSFUL,
    Notification.Outcome.BAD_SHAPE: INVALID_FORMAT,
    Notification.Outcome.INCOMPLETE: INVALID_MANDATORY_FIELD,
    Notification.Outcome.BAD_SIGNATURE: UNAUTHORIZED,
    Notification.Outcome.UNKNOWN_ORDER: NOT_FOUND,
    Notification.Outcome.FAILED: OUR_FAULT,
}
