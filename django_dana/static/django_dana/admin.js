// What makes the pages handier. They work without it.
"use strict";

document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    try {
        await navigator.clipboard.writeText(source.textContent.trim());
        button.dataset.done = "";
        setTimeout(() => delete button.dataset.done, 1500);
    } catch {
        // a page without https may not write there: select it, so that the keyboard can
        getSelection().selectAllChildren(source);
    }
});

const showCopyButtons = () => {
    for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
};
showCopyButtons();

// While something is under way, look again; what was opened stays open.
const lookAgain = async (seconds) => {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const shown = document.querySelector("[data-refresh]");
    if (!shown) return;
    let wait = Math.min(seconds * 1.3, 30);
    try {
        if (!document.hidden && !shown.contains(document.activeElement)) {
            const answer = await fetch(location.href, { credentials: "same-origin" });
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            const fresh = page.querySelector("#content-main.dana");
            if (!answer.ok || answer.redirected || !fresh) return;
            for (const open of shown.querySelectorAll("details[open][id]")) {
                fresh.querySelector(`#${open.id}`)?.setAttribute("open", "");
            }
            shown.replaceWith(fresh);
            showCopyButtons();
        }
    } catch {
        wait = 30;
    }
    lookAgain(wait);
};
const first = document.querySelector("[data-refresh]");
if (first) lookAgain(Number(first.dataset.refresh));
