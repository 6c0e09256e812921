"""The errors of this package, in plain Python.

A refusal by DANA is a value (a row of the table in ``protocol.response_codes``); an exception means that no usable
reply came, or that the configuration is wrong. No message ever carries a key or a signature.
"""


class DanaError(Exception):
    """Base of what can go wrong between us and DANA."""


class NoReply(DanaError):
    """No whole HTTP reply came within the deadline: DANA's row *Total timeout*.

    DANA may or may not have acted, so only the same payload may be sent again.
    """


class UnexpectedReply(DanaError):
    """A whole HTTP reply came, but it can't be understood: DANA's row *Unexpected response*.

    Attributes:
        reason: what is wrong with it.
        http_status: its HTTP status.
        text: its body as far as it is kept.
    """

    def __init__(self, reason: str, http_status: int | None = None, text: str = "") -> None:
        # all three go to args, so that the exception survives pickling between processes
        super().__init__(reason, http_status, text)
        self.reason = reason
        self.http_status = http_status
        self.text = text

    def __str__(self) -> str:
        return self.reason


class InvalidSignature(DanaError):
    """A message claims to be DANA's, but none of DANA's keys made its signature."""


class InvalidKey(ValueError):
    """A key can't be read, or is not of the kind that is needed.

    Outside :class:`DanaError`, since no retry heals it: somebody has to change the setting.
    """


class UnknownAccount(LookupError):
    """The ``DANA`` setting has no account of that alias."""
