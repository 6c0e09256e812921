"""What a shop answers to DANA's Finish Notify.

Sources: DANA's page *Finish Notify* for 2005600, 5005601 and the two headers. No 4xx56xx code is on its list; these
follow the convention of the national standard (SNAP) that DANA's codes are built on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rest_framework.response import Response

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
        return Response(content, status=self.status, headers=headers)


SUCCESSFUL: Final = Answer("2005600", "Successful", 200)
INVALID_FORMAT: Final = Answer("4005601", "Invalid Field Format", 400)
TOO_LARGE: Final = Answer("4005601", "Invalid Field Format", 413)
INVALID_MANDATORY_FIELD: Final = Answer("4005602", "Invalid Mandatory Field", 400)
UNAUTHORIZED: Final = Answer("4015600", "Unauthorized. Invalid Signature", 401)
NOT_FOUND: Final = Answer("4045601", "Transaction Not Found", 404)
METHOD_NOT_ALLOWED: Final = Answer("4055600", "Method Not Allowed", 405)
OUR_FAULT: Final = Answer("5005601", "Internal Server Error", 500)
