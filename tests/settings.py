"""The settings of the test suite: SQLite and no service, unless the environment names one."""

import os

import dj_database_url

from tests.keys import DANA_PUBLIC_KEY, SHOP_PRIVATE_KEY

SECRET_KEY = "tests"
USE_TZ = True
TIME_ZONE = "UTC"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_dana",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
# from the root: Django keeps what a relative one was under the first prefix that a test sets
STATIC_URL = "/static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

DATABASES = {"default": dj_database_url.parse(os.environ.get("DATABASE_URL", "sqlite://:memory:"))}

if DATABASES["default"]["ENGINE"].endswith("sqlite3") and DATABASES["default"]["NAME"] != ":memory:":
    # threads can share a file, and so the tests of what happens at the same moment run on SQLite too
    DATABASES["default"]["TEST"] = {"NAME": f"{DATABASES['default']['NAME']}.test"}

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "memory://")

DANA = {
    "default": {
        "ENVIRONMENT": "sandbox",
        "MERCHANT_ID": "216620000000000000001",
        "PARTNER_ID": "2024010100000000000001",
        "PRIVATE_KEY": SHOP_PRIVATE_KEY,
        "DANA_PUBLIC_KEY": DANA_PUBLIC_KEY,
        "NOTIFICATION_URL": "https://shop.example/dana/v1.0/debit/notify",
        "MCC": "5732",
    },
}
