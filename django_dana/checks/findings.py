"""All that the system checks can find.

No message shows a value of the setting: it might be a key in the wrong place.
"""

from enum import Enum
from typing import Final

from django.core.checks import CheckMessage, Error, Warning

TAG: Final = "django_dana"


class Finding(Enum):
    """What can be found: its id, what is wrong, and what to do. ``{where}`` is the place in the setting."""

    NO_SETTING = (
        "E001",
        "There is no DANA setting.",
        'Add DANA = {"default": {...}} to your settings, or take django_dana out of INSTALLED_APPS.',
    )
    NOT_A_DICT = (
        "E002",
        "The DANA setting is neither a dict of accounts nor the dotted path of a function that returns one.",
        'Write it like DATABASES: {"default": {"ENVIRONMENT": "sandbox", ...}}.',
    )
    BAD_PATH = (
        "E003",
        "The function that the DANA setting names could not be imported or called ({error}).",
        "Correct the dotted path, or call the function in a shell to see what it raises.",
    )
    NO_DEFAULT = (
        "E004",
        'The DANA setting has no account "default".',
        "Name the account that is used when none is given: default.",
    )
    BAD_ALIAS = (
        "E005",
        "An alias in the DANA setting is not text of 1 to 100 characters.",
        "Orders keep the alias of their account; choose a short name.",
    )
    ACCOUNT_NOT_A_DICT = (
        "E006",
        "{where} is not a dict.",
        "Give the options of this account as a dict.",
    )
    UNKNOWN_OPTION = (
        "E007",
        "{where} is not an option{suggestion}.",
        "Correct the name; what is not an option has no effect.",
    )
    MISSING_OPTION = (
        "E008",
        "{where} is missing or empty.",
        "Take it from DANA's merchant portal, or leave the option out where it has a default.",
    )
    OPTION_RAISED = (
        "E009",
        "{where} is a function that raised {error}.",
        "Call the function in a shell to see what is wrong; what it said is not shown, since it may hold a secret.",
    )
    ENVIRONMENT = (
        "E010",
        "{where} is neither sandbox nor production.",
        "Say which of the two the account belongs to; it is never guessed.",
    )
    NOT_TEXT = (
        "E011",
        "{where} is not text.",
        "Write it in quotes, numbers too.",
    )
    UNCLEAN = (
        "E012",
        "{where} begins or ends with whitespace, or holds a control character.",
        "Look for a line break or a blank that came along when it was copied.",
    )
    NOT_ASCII = (
        "E013",
        "{where} holds a character that cannot stand in an HTTP header.",
        "Use letters, digits and punctuation of ASCII only.",
    )
    TOO_LONG = (
        "E014",
        "{where} has more than the {longest} characters that DANA takes.",
        "Compare it with DANA's merchant portal.",
    )
    NOT_AN_ADDRESS = (
        "E015",
        "{where} is not an absolute http or https address.",
        "Write the whole address, such as https://shop.example/path.",
    )
    BASE_URL = (
        "E016",
        "{where} has more than scheme, host and port.",
        "Leave out path, query and user; DANA's paths are added.",
    )
    NOT_HTTPS = (
        "E017",
        "{where} is not an https address, and the account is a production one.",
        "Use https; payments must not travel in the open.",
    )
    TIMEOUT = (
        "E018",
        "{where} is not a number of seconds above 0 and at most 60.",
        "DANA expects 8; it is the time for a whole call.",
    )
    MAX_ATTEMPTS = (
        "E019",
        "{where} is not a whole number of at least 1.",
        "DANA says 3, the first call included.",
    )
    DELAYS = (
        "E020",
        "{where} is not a list of seconds, each above 0 and at most a week.",
        "Give at least one number; the last one repeats.",
    )
    SHRINKING_DELAYS = (
        "E021",
        "{where} has a delay that is shorter than the one before it.",
        "Let the delays grow, so that DANA is called less and less often.",
    )
    NOT_A_SPAN = (
        "E022",
        "{where} is not a timedelta above 0 and at most {longest}.",
        "Write timedelta(minutes=30), for example.",
    )
    NOT_A_BOOL = (
        "E023",
        "{where} is neither True nor False.",
        "A text such as 'False' from the environment counts as true; convert it.",
    )
    TERMINAL_TYPE = (
        "E024",
        "{where} is none of APP, WEB, WAP and SYSTEM.",
        "Use SYSTEM unless DANA told you otherwise.",
    )
    DEBUG_IN_PRODUCTION = (
        "E025",
        "{where} is on, and the account is a production one.",
        "Take it out; DANA offers X-Debug-Mode in sandbox only.",
    )
    NO_PRIVATE_KEY = (
        "E026",
        "{where} and PRIVATE_KEY_PATH are both missing.",
        "Give the private key of this account in one of the two.",
    )
    PRIVATE_KEY = (
        "E027",
        "{where} holds no usable private key: {reason}.",
        "Give your own RSA key of 2048 bits as PEM or base64, PKCS#8 or PKCS#1.",
    )
    PUBLIC_KEY = (
        "E028",
        "{where} holds no usable public key: {reason}.",
        "Give DANA's RSA key, as PEM or base64, or leave it out in sandbox.",
    )
    NO_PUBLIC_KEY = (
        "E029",
        "{where} and DANA_PUBLIC_KEY_PATH are both missing, and the account is a production one.",
        "Ask DANA for its production key; without it no notification can be trusted.",
    )
    OWN_KEY = (
        "E030",
        "{where} is the public half of your own private key.",
        "Put DANA's key there: notifications are signed by DANA, so your key fits none of them.",
    )
    NO_RETURN_ROUTE = (
        "E031",
        "{where} is not set, and the route django_dana:return is missing.",
        'Add path("dana/", include("django_dana.urls")) to your URLs, or set RETURN_URL.',
    )

    ROUTER = (
        "E032",
        "A database router sends {model} to {databases}, not to the database default alone.",
        "Let reads and writes of this app go to default: a lock there, and a look at a replica, decide about money.",
    )
    NAIVE_TIMES = (
        "E033",
        "USE_TZ is False.",
        "Set USE_TZ = True: without time zones, no order can be made.",
    )
    SHARED_KEY = (
        "E034",
        "{where} is also the merchant, with the same private key, of an account of the other environment.",
        "One of the two has the wrong ENVIRONMENT or the wrong credentials; compare both with DANA's merchant portal.",
    )
    SCHEMES = (
        "E035",
        "{where} is not a list of schemes of apps.",
        'Write ["shopapp"], in small letters and without ://. What a browser opens itself is no app of yours.',
    )

    MANY_ATTEMPTS = (
        "W001",
        "{where} is more than 3.",
        "DANA says at most 3 attempts, the first call included.",
    )
    LONG_LIFETIME = (
        "W002",
        "{where} is longer than DANA takes: 30 minutes in sandbox, a week in production.",
        "Shorten it, or DANA may refuse the orders.",
    )
    LONG_CHANNEL_ID = (
        "W003",
        "{where} has more than the 5 characters that DANA documents.",
        "DANA has been seen to take longer ones; leave the option out unless DANA gave you one.",
    )
    SANDBOX_KEY = (
        "W004",
        "{where} is DANA's sandbox key, and the account is a production one.",
        "Ask DANA whether production has a key of its own; DANA has not said so in public.",
    )
    DECORATED_ADDRESS = (
        "W005",
        "{where} has a query, a fragment, a user, a percent sign or a character outside ASCII.",
        "Use a plain path; whether DANA's signature covers the rest is not known.",
    )
    OTHER_ROUTE = (
        "W006",
        "The path of {where} does not lead to the route django_dana:notify.",
        "Correct it, unless a proxy in front of Django rewrites the path.",
    )
    NO_ROUTES = (
        "W007",
        "The route django_dana:notify is missing, so notifications are not heard here.",
        'Add path("dana/", include("django_dana.urls")) to your URLs.',
    )
    SSL_REDIRECT = (
        "W008",
        "SECURE_SSL_REDIRECT may redirect DANA's notifications, and DANA does not follow a redirect.",
        "Behind a proxy set SECURE_PROXY_SSL_HEADER, or name the path in SECURE_REDIRECT_EXEMPT.",
    )
    MIXED_ENVIRONMENTS = (
        "W009",
        "{where} is also the merchant of an account of the other environment.",
        "A merchant id belongs to one environment; compare both with DANA's merchant portal.",
    )
    DATABASE_SILENT = (
        "W010",
        "{where} comes from a function that could not read the database ({error}).",
        "Before the first migrate this is normal; run the checks again afterwards.",
    )
    OTHER_HOST = (
        "W011",
        "{where} is set, and the account is a production one, so payments do not go to DANA's own host.",
        "Take it out, unless a gateway of yours stands in between.",
    )
    SILENT_REDIS = (
        "W012",
        "Celery's Redis transport has no socket_timeout and socket_connect_timeout of at most {limit} seconds.",
        "Set both in broker_transport_options: a buyer waits as long as a broker that does not answer.",
    )
    SILENT_BROKER = (
        "W013",
        "Celery's broker_connection_timeout is more than {limit} seconds.",
        "Make it shorter: a buyer waits as long as a broker that does not answer.",
    )
    VISIBILITY = (
        "W014",
        "Celery's visibility_timeout is shorter than the {limit} seconds that a task of ours may take.",
        "Make it longer, or messages come back while their task still runs. They do no harm, only work.",
    )
    NO_TIME_LIMIT = (
        "W015",
        "Celery's task_time_limit is not set, or shorter than the {limit} seconds that a task of ours may take.",
        "Set it a little longer: without it, a receiver of your shop that hangs holds a worker for ever.",
    )
    EAGER = (
        "W016",
        "Celery's task_always_eager is set, so buyers wait while DANA is called, and nothing is tried again.",
        "Take it out; it is for tests.",
    )
    OPEN_RETURN = (
        "W017",
        "{where} is not an https address, and the account is a production one.",
        "Use https: buyers come back there, and browsers warn of a page that is not.",
    )
    READABLE_KEY = (
        "W018",
        "The file of {where} can be read by every user of this machine.",
        "Take the permission away (chmod o-r): whoever has the key can cancel payments in your name.",
    )
    SHOWN_PASSWORD = (
        "W019",
        "{where} holds a password, which Django's error reports show: they hide only settings whose names look secret.",
        "Give the address by a function, as in PROXY = lambda: os.environ['DANA_PROXY'].",
    )

    def __init__(self, code: str, message: str, hint: str) -> None:
        self.id = f"{TAG}.{code}"
        self.message = message
        self.hint = hint
        self.kind = Error if code.startswith("E") else Warning

    def at(self, where: str = "DANA", **details: object) -> CheckMessage:
        """Return it as a check message about a place in the setting."""
        return self.kind(self.message.format(where=where, **details), hint=self.hint, id=self.id)
