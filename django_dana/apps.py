"""The app config."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DjangoDanaConfig(AppConfig):
    """DANA payments."""

    name = "django_dana"
    verbose_name = _("DANA payments")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from django_dana import checks  # noqa: F401
