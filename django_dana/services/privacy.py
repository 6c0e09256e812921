"""Personal data goes when an order is settled: out of every column. The rows stay, with what was paid and when."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana import conf
from django_dana.conf import OPTIONS
from django_dana.models import REQUESTS, ApiCall, IdempotencyKey, Notification, Order, OutboxEvent
from django_dana.progress import Progress
from django_dana.services.permitted import refuse

#: Buyer, goods, shipping and device stand in the request; DANA's page and the shop's are open to who has the address.
_EMPTY_ORDER: Final[Mapping[str, Any]] = {
    "request_body": "",
    "web_redirect_url": "",
    "payment_code": "",
    "return_url": "",
}
_EMPTY_CALL: Final[Mapping[str, Any]] = {"response_body": ""}
_EMPTY_MESSAGE: Final[Mapping[str, Any]] = {"body": "", "headers": {}}

#: What stays of a payment method; card tokens and telephone numbers stand beside it.
_KEPT_OF_METHOD: Final = ("payMethod", "payOption", "transAmount")


@dataclass(slots=True)
class Pruned:
    """How many rows were emptied or deleted, or would be.

    Attributes:
        orders: orders whose personal data was erased.
        calls: calls whose reply was.
        notifications: notifications of orders whose text was.
        unmatched: notifications without an order that were deleted, refused or not.
        answers: answers of the REST API that were deleted, which are kept for a day.
    """

    orders: int = 0
    calls: int = 0
    notifications: int = 0
    unmatched: int = 0
    answers: int = 0


def erase_personal_data(order: Order) -> None:
    """Erase at once what :func:`prune` erases by age: personal data, in every row about a settled order.

    Amounts, references, states and times stay, and so does what is the shop's own: ``metadata`` and
    ``shop_reference``. A message of DANA that comes later is stored again until RETENTION is over.

    Args:
        order: the order; it is read again.

    Raises:
        ValidationError: the order is not settled, so what was sent may still be needed.
    """
    with transaction.atomic():
        Order.objects.lock(order.pk)
        settled = settled_orders().filter(pk=order.pk)
        if not settled.exists():
            refuse(_("This order is not settled yet. Its personal data can be erased once nothing about it is open."))
        _empty_orders(settled)
        ApiCall.objects.filter(order=order).update(**_EMPTY_CALL)
        Notification.objects.filter(order=order).update(**_EMPTY_MESSAGE)
        # refused, or about an account that was missing then; their number is bounded
        about_it = Q(partner_reference_no=order.partner_reference_no) | Q(body__contains=order.partner_reference_no)
        Notification.objects.filter(about_it, order=None).update(**_EMPTY_MESSAGE)
    order.refresh_from_db()


def prune(*, batch_size: int, dry_run: bool, progress: Progress) -> Pruned:
    """Erase the personal data of orders that are settled since RETENTION, and delete messages as old without an order.

    Args:
        batch_size: rows per statement; each statement is a transaction of its own and looks again whether all is
            settled.
        dry_run: count only.
        progress: is told what is done, and may end the work after a batch.

    Raises:
        ImproperlyConfigured: the DANA setting can't be read, so nobody knows what RETENTION is.
    """
    now, pruned = timezone.now(), Pruned()
    batches = _Batches(batch_size, progress)
    for retention, of_accounts in _retentions():
        before = now - retention
        _prune_orders(settled_orders(before).filter(of_accounts), before, batches, pruned, dry_run=dry_run)
        strangers = Notification.objects.filter(of_accounts, order=None, received_at__lt=before)
        pruned.unmatched += _delete(strangers, batches, dry_run=dry_run)
    pruned.answers = _delete(IdempotencyKey.objects.expired(now), batches, dry_run=dry_run)
    return pruned


def settled_orders(before: datetime | None = None) -> QuerySet[Order]:
    """Orders about which nothing is open and which nobody touched since a moment, if one is given.

    Neither the payment nor a request, nothing is due, held or still to be told, and nobody has to look.
    """
    now = timezone.now()
    # until its time is over, a create that failed may be sent again by hand
    is_refused = Q(
        payment_status=Order.PaymentStatus.NONE, create_status=Order.CreateStatus.FAILED, valid_up_to__lte=now
    )
    is_open = Q(unfinished=True) | ~Q(needs_attention="")
    open_requests = [kind.of(OuterRef("pk")).filter(is_open) for kind in REQUESTS]
    settled = Order.objects.free(now).filter(
        ~Q(payment_status__in=Order.OPEN_PAYMENT) | is_refused,
        *(~Exists(requests) for requests in open_requests),
        ~Exists(OutboxEvent.objects.filter(order=OuterRef("pk"))),
        needs_attention="",
        next_attempt_at=None,
        next_sync_at=None,
    )
    return settled.filter(updated_at__lt=before) if before else settled


def _retentions() -> Iterator[tuple[timedelta, Q]]:
    """Yield each RETENTION with a condition for the rows of its accounts.

    A row of no account, or of one that is gone, is kept as long as those of the default account. How long those of an
    account are kept whose options can't be read, nobody knows: they stay.
    """
    accounts = conf.accounts()
    aliases: defaultdict[timedelta, list[str]] = defaultdict(list)
    for account in accounts:
        aliases[account.retention].append(account.alias)
    default = accounts.by_alias.get("default")
    usual = default.retention if default else OPTIONS["RETENTION"].default
    aliases.pop(usual, None)
    others = [alias for found in aliases.values() for alias in found]
    yield usual, ~Q(account__in=[*others, *accounts.unusable])
    for retention, found in aliases.items():
        yield retention, Q(account__in=found)


def _prune_orders(
    settled: QuerySet[Order], before: datetime, batches: "_Batches", pruned: Pruned, *, dry_run: bool
) -> None:
    calls = ApiCall.objects.filter(started_at__lt=before).exclude(**_EMPTY_CALL)
    messages = Notification.objects.filter(received_at__lt=before).exclude(body="")
    for first, last in batches.of(settled):
        # the range stands twice, since only that leads every database to the few rows of these orders
        orders = settled.filter(pk__gte=first, pk__lte=last)
        of_orders = Q(order_id__gte=first, order_id__lte=last, order__in=orders)
        pruned.calls += _empty(calls.filter(of_orders), _EMPTY_CALL, dry_run=dry_run)
        pruned.notifications += _empty(messages.filter(of_orders), _EMPTY_MESSAGE, dry_run=dry_run)
        pruned.orders += orders.exclude(**_EMPTY_ORDER).count() if dry_run else _empty_orders(orders)


def _empty_orders(settled: QuerySet[Order]) -> int:
    """Empty what may hold personal data in these orders, and return how many there were."""
    found = settled.exclude(**_EMPTY_ORDER)
    # read before the transaction: on SQLite one that begins with a read can't write once somebody else has written
    methods = found.exclude(pay_option_details=[]).values_list("pk", "pay_option_details")
    changed = [
        Order(pk=pk, pay_option_details=short) for pk, all_of in methods if (short := _shortened(all_of)) != all_of
    ]
    with transaction.atomic():
        number = found.update(**_EMPTY_ORDER)
        # only where it was still settled; few at once, since each row is compared with each of them
        Order.objects.filter(**_EMPTY_ORDER).bulk_update(changed, ["pay_option_details"], batch_size=50)
    return number


def _shortened(methods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: method[name] for name in _KEPT_OF_METHOD if name in method} for method in methods]


def _empty(rows: QuerySet[Any], values: Mapping[str, Any], *, dry_run: bool) -> int:
    return rows.count() if dry_run else rows.update(**values)


def _delete(rows: QuerySet[Any], batches: "_Batches", *, dry_run: bool) -> int:
    if dry_run:
        return rows.count()
    return sum(
        rows.filter(pk__gte=first, pk__lte=last).delete()[1].get(rows.model._meta.label, 0)
        for first, last in batches.of(rows)
    )


@dataclass(frozen=True, slots=True)
class _Batches:
    """Cuts what is found into ranges of keys, until somebody wants the work to end."""

    size: int
    progress: Progress

    def of(self, found: QuerySet[Any]) -> Iterator[tuple[int, int]]:
        """Give the first and the last key of each range."""
        self.progress.expect(found.count)
        last = 0
        while not self.progress.is_stopped:
            keys = list(found.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[: self.size])
            if not keys:
                return
            last = keys[-1]
            yield keys[0], last
            self.progress.advance(len(keys))
