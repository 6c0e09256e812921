"""How the documentation is built."""

import django
from django.conf import settings

from django_dana import __version__

# the pages that quote docstrings of models and of what uses them
settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_dana"])
django.setup()

project = "django-dana"
author = "The django-dana authors"
project_copyright = "2026, the django-dana authors"
release = __version__
html_theme = "furo"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]
