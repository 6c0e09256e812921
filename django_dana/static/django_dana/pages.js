// The buyer's pages: look whether the state has changed, count the time down, copy the number.
// Without this script the pages load themselves again by <meta http-equiv="refresh">.
"use strict";
(() => {
  const FIRST = 2, LONGEST = 30, GROWTH = 1.15; // seconds between two looks
  const MOST = 100; // looks in all, about 40 minutes: a forgotten tab must not go on for ever
  const main = document.querySelector("main");
  const here = location.pathname;

  // -- the state ----------------------------------------------------------------------------------

  const key = main.dataset.key;
  const live = document.querySelector(".live");
  let delay = FIRST, looks = 0, timer = 0;

  function plan() {
    clearTimeout(timer);
    const going = Boolean(key) && looks < MOST;
    if (live) live.hidden = !going;
    if (going && !document.hidden) {
      timer = setTimeout(look, delay * 1000);
      delay = Math.min(delay * GROWTH, LONGEST);
    }
  }

  async function look() {
    looks += 1;
    try {
      const response = await fetch(`${here}?poll=1`, { cache: "no-store", credentials: "same-origin" });
      if (response.ok && (await response.json()).key !== key) {
        location.replace(here);
        return;
      }
    } catch {
      // no network for the moment; the next look may get through
    }
    plan();
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden || !key) return;
    delay = FIRST;
    if (looks < MOST) look();
  });
  // a page that the browser kept as it was, when the buyer goes back to it
  addEventListener("pageshow", (event) => { if (event.persisted && key) look(); });
  plan();

  // -- on to the shop, after good news ------------------------------------------------------------

  if (main.dataset.forward) {
    setTimeout(() => { if (!document.hidden) location.assign(main.dataset.forward); }, main.dataset.forwardAfter * 1000);
  }

  // -- the time left ------------------------------------------------------------------------------

  const left = document.querySelector("[data-seconds-left]");
  if (left) {
    const end = performance.now() + left.dataset.secondsLeft * 1000;
    const two = (number) => String(number).padStart(2, "0");
    const tick = () => {
      const seconds = Math.max(0, Math.round((end - performance.now()) / 1000));
      // days stay in words, as the server wrote them
      if (seconds < 86400) {
        const hours = Math.floor(seconds / 3600);
        const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
        left.textContent = hours ? `${hours}:${rest}` : rest;
      }
      if (seconds > 0) setTimeout(tick, 1000);
      else look();
    };
    tick();
  }

  // -- copying ------------------------------------------------------------------------------------

  function copyTheOldWay(text) {
    // without https there is no navigator.clipboard
    const field = document.createElement("textarea");
    field.value = text;
    field.readOnly = true;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) throw new Error("not copied");
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    const label = button.textContent;
    button.hidden = false;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      try {
        if (navigator.clipboard) await navigator.clipboard.writeText(button.dataset.copy);
        else copyTheOldWay(button.dataset.copy);
      } catch {
        return; // the number can still be selected by hand
      }
      button.textContent = button.dataset.done;
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }
})();
