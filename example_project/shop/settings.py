"""Settings of the example shop.

It runs with nothing but Python: SQLite, Celery's file broker and the DANA simulator. Two environment variables move it
to real services: ``DATABASE_URL`` and ``CELERY_BROKER_URL``.
"""

import os
from pathlib import Path
from typing import Any

import dj_database_url

from django_dana.schedule import BEAT_SCHEDULE
from django_dana.simulator import keys

PROJECT = Path(__file__).resolve().parents[1]
VAR = Path(os.environ.get("SHOP_VAR", PROJECT / "var"))
VAR.mkdir(parents=True, exist_ok=True)

SHOP_URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8000")
SIMULATOR_URL = os.environ.get("SIMULATOR_URL", "http://127.0.0.1:8900")

# An example that is shown on one's own machine, not one to put on the internet.
SECRET_KEY = "example only"  # noqa: S105
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

ROOT_URLCONF = "shop.urls"
USE_TZ = True
TIME_ZONE = "Asia/Jakarta"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("id", "Bahasa Indonesia")]
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_dana",
    "store",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

SQLITE = VAR / "shop.sqlite3"
DATABASES: dict[str, Any] = {"default": dj_database_url.config(default=f"sqlite:///{SQLITE}", conn_max_age=60)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Web, worker and beat write to one file: readers and the writer don't wait for each other with WAL, and a
    # transaction that writes says so at its beginning.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
    }

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "filesystem://")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if CELERY_BROKER_URL == "filesystem://":
    BROKER_FOLDER = VAR / "broker"
    for folder in ("messages", "control"):
        (BROKER_FOLDER / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_FOLDER / "messages"),
        "data_folder_out": str(BROKER_FOLDER / "messages"),
        "control_folder": str(BROKER_FOLDER / "control"),
        "polling_interval": 0.2,
    }
elif CELERY_BROKER_URL.startswith("redis"):
    # A message that a dead worker held comes back after five minutes. The time-outs keep a buyer from waiting for a
    # broker that is silent.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 360,
        "socket_timeout": 2,
        "socket_connect_timeout": 1,
    }
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE = {**BEAT_SCHEDULE}

# A real shop gets its keys from DANA's portal. Here both sides live on this machine: the shop's pair and the
# simulator's are made on first use and stay in ``var``.
_SHOP_KEY = keys.load_or_create(VAR / "shop-key.pem")
_SIMULATOR_KEY = keys.load_or_create(VAR / "simulator-key.pem")

DANA = {
    "default": {
        "ENVIRONMENT": "sandbox",
        "BASE_URL": SIMULATOR_URL,
        "MERCHANT_ID": "216620000000000000001",
        "PARTNER_ID": "2026110100000000000001",
        "PRIVATE_KEY": keys.private_pem(_SHOP_KEY),
        "DANA_PUBLIC_KEY": keys.public_text(_SIMULATOR_KEY),
        "NOTIFICATION_URL": f"{SHOP_URL}/dana/v1.0/debit/notify",
        "EXTERNAL_STORE_ID": "KOPI-01",
        "MCC": "5814",
        "SHOP_NAME": "Kopi Nusantara",
    },
}
