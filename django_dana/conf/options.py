"""The options of an account in the ``DANA`` setting, each listed once.

:mod:`django_dana.conf` reads them, the system checks have a rule for each kind, and a test holds ``docs/settings.rst``
to what stands here. The texts are reStructuredText.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any, Final

SANDBOX: Final = "sandbox"
PRODUCTION: Final = "production"


class Kind(Enum):
    """What an option holds. ``checks.options`` has the rules of each kind."""

    ENVIRONMENT = auto()
    TEXT = auto()
    #: Text that is sent as an HTTP header.
    HEADER = auto()
    ADDRESS = auto()
    #: One address, or a list of them.
    ADDRESSES = auto()
    #: A list of schemes of addresses.
    SCHEMES = auto()
    #: Scheme, host and port.
    HOST = auto()
    #: An address that may hold a password.
    PROXY = auto()
    TERMINAL_TYPE = auto()
    SECONDS = auto()
    COUNT = auto()
    #: A list of seconds.
    DELAYS = auto()
    #: A list of seconds, each at least as long as the one before.
    GROWING_DELAYS = auto()
    SPAN = auto()
    FLAG = auto()
    #: Text of one key or of several. Each also exists as NAME_PATH, which names files.
    KEY = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    Attributes:
        name: its key in the setting.
        kind: what it holds.
        doc: what it means, for the documentation.
        default: what holds where it is left out. An option whose default is None or "" may be empty.
        is_required: whether it must be there. Keys have rules of their own.
        default_doc: what the documentation says of a default that does not speak for itself.
        longest: the most characters or the longest span that is taken.
    """

    name: str
    kind: Kind
    doc: str
    default: Any = None
    is_required: bool = False
    default_doc: str = ""
    longest: int | timedelta | None = None

    @property
    def path_name(self) -> str:
        """The name of the option that holds a path to this key."""
        return f"{self.name}_PATH"


_LISTED: Final = (
    Option(
        name="ENVIRONMENT",
        kind=Kind.ENVIRONMENT,
        is_required=True,
        doc="``sandbox`` or ``production``. Never guessed, and never taken from DEBUG.",
    ),
    Option(
        name="MERCHANT_ID",
        kind=Kind.TEXT,
        is_required=True,
        longest=64,
        doc="Issued by DANA, at most 64 characters.",
    ),
    Option(
        name="PARTNER_ID",
        kind=Kind.HEADER,
        is_required=True,
        longest=36,
        doc="X-PARTNER-ID, which DANA also calls client id, at most 36 characters.",
    ),
    Option(
        name="PRIVATE_KEY",
        kind=Kind.KEY,
        default_doc="required",
        doc="Your RSA key: PEM, PEM on one line with ``\\n``, or base64 without armour; PKCS#8 or PKCS#1. A path wins.",
    ),
    Option(
        name="DANA_PUBLIC_KEY",
        kind=Kind.KEY,
        default_doc="sandbox: DANA's published key",
        doc="The key with which DANA signs notifications; a list while keys rotate. Required in production.",
    ),
    Option(
        name="NOTIFICATION_URL",
        kind=Kind.ADDRESSES,
        is_required=True,
        longest=512,
        doc="The public address of ``django_dana:notify``, whose path DANA's signature covers. While it changes, a "
        "list: the first is sent to DANA, and notifications to any of them are accepted.",
    ),
    Option(
        name="MCC",
        kind=Kind.TEXT,
        is_required=True,
        longest=64,
        doc="The merchant category code.",
    ),
    Option(
        name="BASE_URL",
        kind=Kind.HOST,
        default_doc="by ENVIRONMENT",
        doc="Where DANA is. Set it to use the simulator.",
    ),
    Option(
        name="CHANNEL_ID",
        kind=Kind.HEADER,
        default="95221",
        doc="The CHANNEL-ID header.",
    ),
    Option(
        name="ORIGIN",
        kind=Kind.HEADER,
        default="",
        doc="The ORIGIN header; not sent when empty.",
    ),
    Option(
        name="RETURN_URL",
        kind=Kind.ADDRESS,
        longest=512,
        default_doc="our return page",
        doc="Where DANA sends the buyer back. The default is the route ``django_dana:return`` at the scheme and host "
        "of NOTIFICATION_URL.",
    ),
    Option(
        name="RETURN_SCHEMES",
        kind=Kind.SCHEMES,
        default=[],
        doc='The schemes of your own apps, such as ``["shopapp"]``: the ``return_url`` of an order may then lead back '
        "into one of them (``shopapp://orders/7``).",
    ),
    Option(
        name="SHOP_NAME",
        kind=Kind.TEXT,
        default="",
        doc="The name of the shop on the pages that buyers see.",
    ),
    Option(
        name="SUB_MERCHANT_ID",
        kind=Kind.TEXT,
        default="",
        longest=32,
        doc="DANA's externalDivisionId, for aggregators.",
    ),
    Option(
        name="EXTERNAL_STORE_ID",
        kind=Kind.TEXT,
        default="",
        longest=64,
        doc="DANA's externalShopId. QRIS needs it.",
    ),
    Option(
        name="TERMINAL_TYPE",
        kind=Kind.TERMINAL_TYPE,
        default="SYSTEM",
        doc="``APP``, ``WEB``, ``WAP`` or ``SYSTEM``.",
    ),
    Option(
        name="TIMEOUT",
        kind=Kind.SECONDS,
        default=8.0,
        doc="Seconds for a whole call, from connecting to the last byte.",
    ),
    Option(
        name="MAX_ATTEMPTS",
        kind=Kind.COUNT,
        default=3,
        doc="Calls in a series, the first included. DANA says at most three.",
    ),
    Option(
        name="ATTEMPT_DELAYS",
        kind=Kind.DELAYS,
        default=[2, 5],
        doc="Seconds before the second, third, … attempt; the last one repeats.",
    ),
    Option(
        name="ORDER_LIFETIME",
        kind=Kind.SPAN,
        default=timedelta(minutes=30),
        longest=timedelta(days=365),
        doc="How long an order can be paid, as a timedelta.",
    ),
    Option(
        name="PENDING_DELAYS",
        kind=Kind.GROWING_DELAYS,
        default=[30, 60, 300, 900, 3600],
        doc="When to try again what is pending, in seconds; the last one repeats, and up to a tenth is added to each.",
    ),
    Option(
        name="CANCEL_GIVE_UP_AFTER",
        kind=Kind.SPAN,
        default=timedelta(hours=24),
        longest=timedelta(days=365),
        doc="How long a cancel or a refund is tried, as a timedelta.",
    ),
    Option(
        name="RETRY_FAILED",
        kind=Kind.FLAG,
        default=True,
        doc="Whether to try again on the codes that DANA says to mark Failed *and* to try again.",
    ),
    Option(
        name="RETENTION",
        kind=Kind.SPAN,
        default=timedelta(days=90),
        longest=timedelta(days=3_660),
        doc="How long message bodies and personal data of a settled order are kept, as a timedelta; ``dana_prune`` "
        "removes what is older.",
    ),
    Option(
        name="PROXY",
        kind=Kind.PROXY,
        doc="An http or https proxy. The proxies and the netrc file of the environment are not used.",
    ),
    Option(
        name="DEBUG_MODE",
        kind=Kind.FLAG,
        default=False,
        doc="Sandbox only: DANA says why it refused.",
    ),
)

#: Every option, in the order of the documentation.
OPTIONS: Final[Mapping[str, Option]] = {option.name: option for option in _LISTED}

#: Those that hold the text of a key.
KEYS: Final[Mapping[str, Option]] = {option.name: option for option in _LISTED if option.kind is Kind.KEY}

#: All others.
PLAIN: Final[Mapping[str, Option]] = {option.name: option for option in _LISTED if option.kind is not Kind.KEY}

REQUIRED: Final = tuple(option.name for option in _LISTED if option.is_required)

#: What may stand in an account, the paths of keys included.
NAMES: Final = frozenset({*OPTIONS, *(option.path_name for option in KEYS.values())})
