"""Ready groups for the people of a shop. Adds what is missing and takes nothing away."""

from typing import Any, Final

from django.contrib.auth.models import Group, Permission

from django_dana.management.printing import PlainCommand

_SUPPORT: Final = ("view_order", "view_cancelrequest")
_REFUNDS: Final = (*_SUPPORT, "cancel_order", "refund_order")
_LEAD: Final = (
    *_REFUNDS,
    "change_order",
    "settle_order_outside",
    "view_apicall",
    "view_notification",
    "view_refundrequest",
    "view_evidence",
)

#: Group by group, what its people may do.
ROLES: Final = {
    "DANA support": (*_SUPPORT, "view_refundrequest"),
    "DANA refunds": (*_REFUNDS, "view_refundrequest"),
    "DANA lead": _LEAD,
}


class Command(PlainCommand):
    """``manage.py dana_roles``"""

    help = "Creates the groups DANA support, DANA refunds and DANA lead, or gives them the permissions they lack."

    def handle(self, *args: Any, **options: Any) -> None:
        """Make each group whole."""
        for name, codenames in ROLES.items():
            group, is_new = Group.objects.get_or_create(name=name)
            wanted = Permission.objects.filter(content_type__app_label="django_dana", codename__in=codenames)
            missing = wanted.exclude(pk__in=group.permissions.values("pk"))
            added = sorted(missing.values_list("codename", flat=True))
            group.permissions.add(*missing)
            what = "created" if is_new else "has all it needs" if not added else "completed"
            self.say(f"{name}: {what}{': ' if added else ''}{', '.join(added)}")
