"""Create, retry, stop and sync orders."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_dana import background, conf, validation
from django_dana.conf import Account
from django_dana.exceptions import UnknownAccount
from django_dana.models import Order, OrderRequest, OutboundRequest
from django_dana.models.orders import new_reference
from django_dana.protocol import notation
from django_dana.protocol.messages import CreateOrder
from django_dana.services.permitted import Send, refuse, refuse_in_transaction, why_not_retry, why_not_stop
from django_dana.transitions import OF_REQUEST, creates, locked_order
from django_dana.validation import Problems


def create_order(
    *,
    amount: Decimal | int,
    title: str,
    account: str = "default",
    partner_reference_no: str | None = None,
    return_url: str | None = None,
    pay_option_details: Sequence[Mapping[str, Any]] | None = None,
    valid_up_to: datetime | None = None,
    currency: str = "IDR",
    sub_merchant_id: str | None = None,
    external_store_id: str | None = None,
    buyer: Mapping[str, Any] | None = None,
    goods: Sequence[Mapping[str, Any]] | None = None,
    shipping: Sequence[Mapping[str, Any]] | None = None,
    env_info: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    shop_reference: str = "",
    send: Send = "background",
) -> Order:
    """Save an order and have it created at DANA. Then send the buyer to the page ``django_dana:pay``.

    Args:
        amount: the price in whole units of the currency, with at most two decimals; never float.
        title: shown on DANA's page, at most 64 characters.
        account: an alias of the DANA setting.
        partner_reference_no: your own reference, at most 64 characters (25 with QRIS); generated if left out.
        return_url: where our return page leads the buyer afterwards: a path, an http(s) address, or an app's whose
            scheme is in RETURN_SCHEMES.
        pay_option_details: payment methods in DANA's field names, for your own checkout; left out, DANA shows its page.
        valid_up_to: until when it can be paid; left out, ORDER_LIFETIME from now.
        currency: three capital letters.
        sub_merchant_id: DANA's externalDivisionId, instead of the account's.
        external_store_id: DANA's externalShopId, instead of the account's; QRIS needs one.
        buyer: in DANA's field names, like the three that follow.
        goods: what is bought.
        shipping: where it goes.
        env_info: about the buyer's device.
        metadata: your own data, kept on the order and not sent.
        shop_reference: your own number of the order, at most 64 characters: shown and searched, not sent.
        send: ``"background"`` starts a worker on commit. ``"now"`` makes one attempt, bounded by TIMEOUT, in this
            thread and leaves the rest to the workers.

    Returns:
        The order. One that DANA refused is returned too, with ``create_status`` failed.

    Raises:
        ValidationError: something is wrong with the arguments, by field; nothing was saved or sent.
        RuntimeError: ``send="now"`` inside a transaction, in which nothing can be saved before the call.
    """
    if send == "now":
        refuse_in_transaction('create_order(send="now")')
    problems, dana, now = Problems(), account_named(account), timezone.now()
    order = Order(
        account=dana.alias,
        environment=dana.environment,
        merchant_id=dana.merchant_id,
        amount=validation.amount(problems, amount),
        currency=validation.currency(problems, currency),
        title=validation.text(problems, "title", title, 64, required=True),
        return_url=validation.return_url(problems, return_url, dana.return_schemes),
        metadata=validation.metadata(problems, metadata),
        shop_reference=validation.text(problems, "shop_reference", shop_reference, 64),
        partner_reference_no=validation.reference(problems, partner_reference_no) or new_reference(),
        valid_up_to=validation.valid_up_to(problems, valid_up_to or now + dana.order_lifetime, now),
        sub_merchant_id=validation.text(problems, "sub_merchant_id", _or(sub_merchant_id, dana.sub_merchant_id), 32),
        external_store_id=validation.text(
            problems, "external_store_id", _or(external_store_id, dana.external_store_id), 64
        ),
        next_attempt_at=now,
    )
    order.pay_option_details = validation.pay_option_details(
        problems,
        pay_option_details,
        amount=notation.money(order.amount, order.currency),
        reference=order.partner_reference_no,
        store_id=order.external_store_id,
    )
    details = {
        "buyer": validation.buyer(problems, buyer),
        "goods": validation.goods(problems, goods),
        "shipping": validation.shipping(problems, shipping),
        "env_info": validation.env_info(problems, env_info),
    }
    problems.raise_if_any()
    order.request_body = _request_body(order, dana, details)
    _insert(order)
    if send == "now":
        from django_dana import gateway

        gateway.attempt_create(order.pk)
        order.refresh_from_db()
    # in the background it makes the first attempt; after one it tells the shop and makes those that remain
    background.start_on_commit("create_order", order.pk)
    return order


def retry_order(order: Order) -> Order:
    """Send the same payload again, by hand, as a new series of attempts.

    Raises:
        ValidationError: what :func:`why_not_retry` says.
    """
    with locked_order(order.pk, account_of(order)) as locked:
        refuse(why_not_retry(locked.order))
        creates.retried(locked)
    background.start_on_commit("create_order", order.pk)
    return locked.order


def stop_retrying(row: OutboundRequest) -> None:
    """End the periodic schedule of an order's create or of a request; DANA is asked about what is open.

    A queued create that was never sent is stopped for good.

    Raises:
        ValidationError: what :func:`why_not_stop` says.
    """
    order = row if isinstance(row, Order) else row.order  # type: ignore[attr-defined]
    with locked_order(order.pk, account_of(order)) as locked:
        row = locked.current(row)
        refuse(why_not_stop(row))
        if isinstance(row, Order):
            creates.stopped(locked)
        elif isinstance(row, OrderRequest):
            OF_REQUEST[type(row)].time_is_over(locked, row)
    background.start_follow_up(locked.order)


def sync_order(order: Order, *, not_within: timedelta = timedelta(0), timeout: float | None = None) -> Order:
    """Ask DANA what became of an order and take its answer, in this thread.

    Args:
        order: the order.
        not_within: don't ask if the last query is younger than this.
        timeout: seconds for the whole call, instead of the account's TIMEOUT.

    Returns:
        The order as it is now, also where DANA did not answer or a call for this order is under way.

    Raises:
        RuntimeError: inside a transaction, which would hold the order's lock during the call.
    """
    refuse_in_transaction("sync_order()")
    from django_dana import gateway

    if gateway.sync(order.pk, not_within=not_within, timeout=timeout):
        background.start("send_outbox", order.pk)
    return Order.objects.get(pk=order.pk)


def account_named(alias: str) -> Account:
    """Return an account of the DANA setting. Raises ValidationError on ``account`` where there is none."""
    try:
        return conf.account(alias)
    except UnknownAccount:
        message = _("The DANA setting has no account %(alias)s.")
        raise ValidationError({"account": ValidationError(message, params={"alias": alias})}) from None


def account_of(order: Order) -> Account:
    """Return the account of an order. Raises ValidationError on ``account`` where it is gone."""
    return account_named(order.account)


def _or(value: str | None, default: str) -> str:
    return default if value is None else value


def _request_body(order: Order, account: Account, details: Mapping[str, Any]) -> str:
    return CreateOrder(
        partner_reference_no=order.partner_reference_no,
        merchant_id=order.merchant_id,
        amount=order.amount,
        currency=order.currency,
        title=order.title,
        valid_up_to=order.valid_up_to,
        return_url=account.return_url or account.site + reverse("django_dana:return", args=[order.public_id]),
        notification_url=account.notification_url,
        mcc=account.mcc,
        terminal_type=account.terminal_type,
        sub_merchant_id=order.sub_merchant_id,
        external_store_id=order.external_store_id,
        pay_option_details=order.pay_option_details,
        **details,
    ).body()


def _insert(order: Order) -> None:
    try:
        with transaction.atomic():
            order.save()
    except IntegrityError:
        taken = Order.objects.filter(
            merchant_id=order.merchant_id, partner_reference_no=order.partner_reference_no
        ).exists()
        if not taken:
            raise
        raise ValidationError({"partner_reference_no": _("This reference was used before.")}) from None
