"""The shop's own tests: ``manage.py test store``. DANA is the one of ``django_dana.testing``."""

from decimal import Decimal
from io import StringIO
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import TestCase
from django.urls import reverse

from django_dana.models import Order
from django_dana.testing import Dana, make_order, running_dana
from store import checkout
from store.demo.story import ROLES, STAFF_NAME, STAFF_PASSWORD
from store.management.commands import demo
from store.models import Attempt, Purchase


class ShopTest(TestCase):
    """A buyer in the shop."""

    dana: Dana

    def setUp(self) -> None:
        """Start DANA."""
        self.dana = self.enterContext(running_dana())

    def buy(self, method: str = "choose") -> Purchase:
        """Press one of the two buttons of the catalogue."""
        self.client.post(reverse("buy", args=["gayo"]), {"method": method})
        return Purchase.objects.get()

    def pay(self, purchase: Purchase, **choice: str) -> Order:
        """Choose how to pay."""
        answer = self.client.post(reverse("pay", args=[purchase.public_id]), choice)
        payment = Attempt.objects.latest("pk").payment
        self.assertRedirects(
            answer, reverse("django_dana:pay", args=[payment.public_id]), fetch_redirect_response=False
        )
        return payment

    def page(self, purchase: Purchase, **extra: Any) -> str:
        """Return the page of a purchase."""
        return self.client.get(purchase.get_absolute_url(), **extra).content.decode()

    def test_with_danas_own_page(self) -> None:
        answer = self.client.post(reverse("buy", args=["gayo"]))
        payment = Attempt.objects.get().payment
        to_dana = self.client.get(answer["Location"])
        self.assertEqual(to_dana["Location"], payment.web_redirect_url)
        self.dana.pay(payment)
        purchase = Purchase.objects.get()
        self.assertIsNotNone(purchase.packed_at)
        self.assertIn('data-state="paid"', self.page(purchase))

    def test_by_virtual_account(self) -> None:
        purchase = self.buy()
        payment = self.pay(purchase, method="bank", bank="BCA")
        self.assertEqual(payment.pay_option_details[0]["payOption"], "VIRTUAL_ACCOUNT_BCA")
        self.assertContains(self.client.get(reverse("django_dana:pay", args=[payment.public_id])), "BCA")
        self.dana.pay(payment)
        self.assertIn("Paid. Thank you!", self.page(purchase))

    def test_by_qris(self) -> None:
        payment = self.pay(self.buy(), method="qris")
        self.assertContains(self.client.get(reverse("django_dana:pay", args=[payment.public_id])), 'role="img"')
        self.assertEqual(self.dana.pay(payment).state, "paid")

    def test_another_way_closes_the_first_one_at_dana(self) -> None:
        purchase = self.buy()
        first = self.pay(purchase, method="bank", bank="BNI")
        self.assertNotIn('value="qris"', self.page(purchase))
        self.client.post(reverse("turn-away", args=[purchase.public_id]))
        self.assertEqual(self.dana.order(first).state, "CANCELLED")
        self.assertIn('value="qris"', self.page(purchase))
        second = self.pay(purchase, method="qris")
        self.dana.pay(second)
        purchase.refresh_from_db()
        self.assertEqual(purchase.packed_for, second)
        self.assertEqual(purchase.attempts.count(), 2)

    def test_after_its_end_an_attempt_makes_room_for_the_next(self) -> None:
        purchase = self.buy()
        self.dana.expire(self.pay(purchase, method="qris"))
        self.assertIn('value="qris"', self.page(purchase))
        self.pay(purchase, method="dana")

    def test_a_refusal_that_is_tried_again_makes_no_room(self) -> None:
        self.dana.faults.add("create:code:code=5005400:times=1")
        purchase = self.buy()
        payment = self.pay(purchase, method="dana")
        self.assertEqual(payment.create_status, "failed")
        self.assertFalse(checkout.may_pay(purchase))
        self.assertEqual(self.pay(purchase, method="qris"), payment)

    def test_what_is_paid_twice_is_packed_once_and_seen(self) -> None:
        purchase = self.buy()
        first = self.dana.expire(self.pay(purchase, method="bank", bank="BRI"))
        second = self.dana.pay(self.pay(purchase, method="qris"))
        self.dana.pay(first, even_if_closed=True)
        self.dana.run_due()
        purchase.refresh_from_db()
        self.assertEqual(purchase.packed_for, second)
        self.assertIsNotNone(Attempt.objects.get(payment=first).paid_twice_at)

    def test_what_is_no_way_to_pay(self) -> None:
        purchase = self.buy()
        choices: tuple[dict[str, str], ...] = (
            {},
            {"method": "shells"},
            {"method": "bank", "bank": "BAC"},
            {"method": "bank"},
        )
        for choice in choices:
            answer = self.client.post(reverse("pay", args=[purchase.public_id]), choice, follow=True)
            self.assertContains(answer, "Please choose how to pay.")
        self.assertEqual(Order.objects.count(), 0)

    def test_in_indonesian(self) -> None:
        purchase = self.buy()
        self.assertIn("Bayar dengan QRIS", self.page(purchase, headers={"Accept-Language": "id"}))
        self.client.post(reverse("set_language"), {"language": "id"})
        self.assertIn("Bayar dengan QRIS", self.page(purchase))


class PageTest(TestCase):
    """The page of a purchase in each state of its payment."""

    def test_each_state(self) -> None:
        said = {
            "payable": "Waiting for your payment.",
            "paid": "Paid. Thank you!",
            "in_review": "Please do not pay again.",
            "cancelled": "Your money is on its way back.",
            "expired": "Not paid yet.",
            "refused": "Not paid yet.",
        }
        for state, sentence in said.items():
            with self.subTest(state):
                purchase = Purchase.objects.create(product_slug="gayo")
                Attempt.objects.create(purchase=purchase, payment=make_order(state, amount=Decimal(85_000)))
                self.assertContains(self.client.get(purchase.get_absolute_url()), sentence)


class DemoTest(TestCase):
    """The demo on a database that somebody named."""

    def test_it_takes_an_empty_one_and_its_own(self) -> None:
        for _ in range(2):
            demo._check_database()
            demo._hire_staff()
        staff = User.objects.get(username=STAFF_NAME)
        self.assertTrue(staff.is_superuser)
        self.assertTrue(staff.check_password(STAFF_PASSWORD))

    def test_it_has_a_person_for_each_role(self) -> None:
        demo._hire_staff()
        may = {
            name: User.objects.get(username=name).has_perm("django_dana.refund_order") for name in (*ROLES, STAFF_NAME)
        }
        self.assertEqual(may, {"support": False, "refunds": True, "lead": True, STAFF_NAME: True})

    def test_it_changes_nobody_in_the_database_of_others(self) -> None:
        for name in (STAFF_NAME, "siti"):
            with self.subTest(name):
                User.objects.all().delete()
                User.objects.create_superuser(name, password="theirs")  # noqa: S106
                with (
                    patch.object(demo, "start_afresh"),
                    patch.object(demo, "Shop", side_effect=AssertionError),
                    self.assertRaisesMessage(CommandError, "The database has users already"),
                ):
                    call_command("demo", "--exit", stdout=StringIO())
                self.assertTrue(User.objects.get().check_password("theirs"))
