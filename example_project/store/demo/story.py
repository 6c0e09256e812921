"""The story of one payment, told over HTTP as a buyer and a member of staff live it."""

import html
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin

import requests

from store.demo.processes import DemoError, Shop

STAFF_NAME: Final = "staff"
STAFF_PASSWORD: Final = "kopi"  # noqa: S105

#: One person for each group that ``dana_roles`` makes.
ROLES: Final = {"support": "DANA support", "refunds": "DANA refunds", "lead": "DANA lead"}
PATIENCE_SECONDS: Final = 45.0

Step = tuple[str, str]


@dataclass
class Story:
    """Tells the story step by step; a step that does not hold raises DemoError."""

    shop: Shop
    buyer: requests.Session = field(default_factory=requests.Session)
    staff: requests.Session = field(default_factory=requests.Session)
    _purchase_url: str = ""
    _reference: str = ""

    def tell(self) -> Iterator[Step]:
        """Yield what happened and where to see it, after each step."""
        yield "The shop's catalogue is open.", self.shop.url
        pay_url = self._buy()
        yield "A buyer presses Buy with DANA; the shop writes the order and a worker sends it to DANA.", pay_url
        checkout_url = self._wait_for_checkout(pay_url)
        yield "DANA has the order, and the buyer is sent on to DANA's page.", checkout_url
        self._pay(checkout_url)
        yield "The buyer pays and comes back.", self._purchase_url
        self._wait_for_state("paid")
        yield "DANA's signed notification has arrived: the order is paid, and the shop packs it.", self._purchase_url
        cancel_url = self._cancel()
        yield f"A member of staff ({STAFF_NAME} / {STAFF_PASSWORD}) cancels it in the admin.", cancel_url
        self._wait_for_state("cancelled")
        yield "DANA has cancelled the order: the money goes back.", self._purchase_url
        self._check_dana()
        yield "DANA has the same state.", f"{self.shop.simulator_url}/"
        yield from self._tell_of_two_attempts()

    def _tell_of_two_attempts(self) -> Iterator[Step]:
        self._purchase_url = self._choose()
        first_url = self._choose_method({"method": "bank", "bank": "BCA"})
        number = self._wait_for_code(first_url, r'data-copy="([0-9]+)"')
        yield f"Another buyer chooses a virtual account at BCA: {number}.", first_url
        self._post_form(self.buyer, self._get(self.buyer, self._purchase_url), f"{self._purchase_url}another-way/", {})
        self._wait_for_state("cancelled")
        yield "The buyer wants to pay another way: the first attempt is closed at DANA.", self._purchase_url
        second_url = self._choose_method({"method": "qris"})
        self._wait_for_code(second_url, r'class="(qrline)"')
        yield "The second attempt at the same purchase is a QR code.", second_url
        self._pay_at_simulator()
        self._wait_for_state("paid")
        yield "The buyer scans and pays it; the shop packs the goods once.", self._purchase_url

    def _buy(self) -> str:
        catalogue = self._get(self.buyer, self.shop.url)
        action = _find(r'action="(/buy/[^"]+)"', catalogue.text, "a product to buy")
        answer = self._post_form(self.buyer, catalogue, urljoin(self.shop.url, action), {})
        if "/pay/" not in answer.headers.get("Location", ""):
            raise DemoError(f"Buying led to {answer.status_code} and not to the pay page.")
        return urljoin(self.shop.url, answer.headers["Location"])

    def _wait_for_checkout(self, pay_url: str) -> str:
        def forwarded() -> str:
            answer = self.buyer.get(pay_url, allow_redirects=False, timeout=10)
            return answer.headers.get("Location", "")

        return self._wait(forwarded, "the address of DANA's page")

    def _pay(self, checkout_url: str) -> None:
        checkout = self._get(self.buyer, checkout_url)
        method = _find(r'name="method" value="([^"]+)"', checkout.text, "a way to pay")
        back = self.buyer.post(
            checkout_url, data={"method": method, "action": "pay"}, timeout=10, allow_redirects=False
        )
        return_url = back.headers.get("Location") or html.unescape(
            _find(r'href="([^"]+/return/[^"]+)"', back.text, "the way back to the shop")
        )
        page = self._get(self.buyer, return_url)
        self._purchase_url = urljoin(self.shop.url, _find(r"(/purchase/[0-9a-f-]+/)", page.text, "the purchase"))

    def _choose(self) -> str:
        catalogue = self._get(self.buyer, self.shop.url)
        action = _find(r'action="(/buy/[^"]+)"', catalogue.text, "a product to buy")
        url = urljoin(self.shop.url, action)
        answer = self._post_form(self.buyer, catalogue, url, {"method": "choose"})
        return urljoin(self.shop.url, answer.headers.get("Location", ""))

    def _choose_method(self, choice: dict[str, str]) -> str:
        page = self._get(self.buyer, self._purchase_url)
        answer = self._post_form(self.buyer, page, f"{self._purchase_url}pay/", choice)
        if "/dana/pay/" not in answer.headers.get("Location", ""):
            raise DemoError(f"Choosing how to pay led to {answer.status_code} and not to the pay page.")
        return urljoin(self.shop.url, answer.headers["Location"])

    def _wait_for_code(self, pay_url: str, pattern: str) -> str:
        def there() -> str:
            found = re.search(pattern, self._get(self.buyer, pay_url).text)
            return found[1] if found else ""

        return self._wait(there, "the code to pay with")

    def _pay_at_simulator(self) -> None:
        page = self._get(self.buyer, self._purchase_url).text
        reference = _find(r"<dt>Reference</dt><dd>([^<]+)<", page, "the reference")
        paid = requests.post(
            f"{self.shop.simulator_url}/simulator/orders/pay", json={"reference": reference}, timeout=15
        )
        if not paid.ok:
            raise DemoError(f"Paying at the simulator answered {paid.status_code}: {paid.text}")

    def _wait_for_state(self, state: str) -> None:
        def reached() -> str:
            page = self._get(self.buyer, self._purchase_url).text
            self._reference = _find(r"<dt>Reference</dt><dd>([^<]+)<", page, "the reference")
            return page if f'data-state="{state}"' in page else ""

        self._wait(reached, f"the state {state} on the purchase's page")

    def _cancel(self) -> str:
        login_url = f"{self.shop.url}/admin/login/?next=/admin/django_dana/order/"
        login = self._get(self.staff, login_url)
        orders = self._post_form(
            self.staff, login, login_url, {"username": STAFF_NAME, "password": STAFF_PASSWORD}, follow=True
        )
        order_url = urljoin(
            self.shop.url, _find(r'href="(/admin/django_dana/order/\d+/change/[^"]*)"', orders.text, "the order")
        )
        order = self._get(self.staff, order_url)
        cancel_url = urljoin(order_url, _find(r'href="([^"]*/give-back/[^"]*)"', order.text, "Give money back"))
        confirm = self._get(self.staff, cancel_url)
        version = _find(r'name="version" value="([^"]+)"', confirm.text, "what the form is about")
        data = {"choice": "all", "reason": "stock ran out", "version": version}
        done = self._post_form(self.staff, confirm, cancel_url, data, follow=True)
        if not done.ok or done.url == cancel_url:
            raise DemoError(f"Cancelling led to {done.status_code} at {done.url}.")
        return done.url

    def _check_dana(self) -> None:
        snapshot = self._get(self.staff, f"{self.shop.simulator_url}/simulator/snapshot").json()
        order = next((order for order in snapshot["orders"] if order["reference"] == self._reference), None)
        if order is None or order["state"].upper() != "CANCELLED":
            raise DemoError(f"DANA has {order} for {self._reference}.")

    # -- over HTTP --------------------------------------------------------------------------------------------------

    def _get(self, session: requests.Session, url: str) -> requests.Response:
        answer = session.get(url, timeout=15)
        if not answer.ok:
            raise DemoError(f"{url} answered {answer.status_code}.")
        return answer

    def _post_form(
        self,
        session: requests.Session,
        page: requests.Response,
        url: str,
        data: dict[str, Any],
        *,
        follow: bool = False,
    ) -> requests.Response:
        token = _find(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text, "a form")
        data = {**data, "csrfmiddlewaretoken": token}
        return session.post(url, data=data, headers={"Referer": url}, timeout=15, allow_redirects=follow)

    def _wait(self, reached: Callable[[], str], what: str) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := reached()):
            if time.monotonic() > deadline or self.shop.ended():
                words = "\n".join(f"-- {name} --\n{self.shop.last_words(name)}" for name in ("web", "worker"))
                raise DemoError(f"{PATIENCE_SECONDS:.0f} s went by without {what}.\n{words}")
            time.sleep(0.25)
        return found


def _find(pattern: str, text: str, what: str) -> str:
    found = re.search(pattern, text)
    if not found:
        raise DemoError(f"The page does not show {what}.")
    return html.unescape(found[1])
