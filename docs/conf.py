"""How the documentation is built."""

from django_dana import __version__

project = "django-dana"
author = "The django-dana authors"
project_copyright = "2026, the django-dana authors"
release = __version__
html_theme = "furo"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]
