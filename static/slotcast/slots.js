/* The page of the weekly windows: the week shown, the viewer's clock beside it, and forms that tell what they would do. */
(function () {
  "use strict";

  const SHORT = 250;
  const MINUTE = 60000;
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone || "";

  /* ------------------------------------------------ the viewer's clock */

  function clocks() {
    const page = document.getElementById("sc");
    const hour = document.querySelector(".sl-hour");
    if (!page || !hour) return;
    // Where both clocks show the same, one is enough.
    page.classList.toggle("sl-same-clock", hour.querySelector("b").textContent === hour.querySelector("time").textContent);
    for (const node of document.querySelectorAll("[data-my-zone]")) {
      const part = new Intl.DateTimeFormat("en-GB", { timeZoneName: "shortOffset" }).formatToParts(new Date()).find(({ type }) => type === "timeZoneName");
      node.textContent = "yours";
      node.title = `${mine}, ${part.value}`;
    }
    const now = document.querySelector("[data-now]");
    const week = document.getElementById("sl-week");
    if (now && week)
      now.textContent = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: week.dataset.zone }).format(new Date());
    for (const choice of document.querySelectorAll("[data-zones]"))
      if (mine && ![...choice.options].some((option) => option.value === mine)) choice.add(new Option(`${mine} (yours)`, mine));
  }

  /* ------------------------------------------------ the week in the address */

  function show(address) {
    history.pushState({}, "", address);
    Slotcast.refresh();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-week]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    show(link.href);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-week]")) return;
    event.preventDefault();
    show(`?${new URLSearchParams(new FormData(event.target))}`);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-week]");
    if (form) form.requestSubmit();
  });

  /* ------------------------------------------------ what a form would do */

  let asking = 0;

  async function preview(form) {
    const query = new URLSearchParams(new FormData(form));
    query.delete("csrfmiddlewaretoken");
    const number = ++asking;
    const response = await fetch(`${form.getAttribute("action")}?${query}`, { headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
    if (response.headers.has("HX-Redirect")) location.assign(response.headers.get("HX-Redirect"));
    if (!response.ok || number !== asking) return;
    const fresh = document.createElement("template");
    fresh.innerHTML = await response.text();
    for (const id of ["sl-run", "sl-save"]) {
      const [from, to] = [document.getElementById(id), fresh.content.getElementById(id)];
      if (from && to) from.replaceWith(to);
    }
  }

  let timer = null;
  function soon(event) {
    const form = event.target.closest("form[data-previews]");
    if (!form) return;
    const save = form.querySelector("#sl-save");
    if (save) save.disabled = true;
    clearTimeout(timer);
    timer = setTimeout(() => preview(form).catch(() => {}), SHORT);
  }
  // Not at `change`: it comes when a field is left for the button, which must not be disabled under the finger.
  document.addEventListener("input", soon);

  function start() {
    if (!document.getElementById("sl-week") && !document.getElementById("part-bar")) return;
    clocks();
    const scroll = document.getElementById("sl-scroll");
    const first = scroll && (scroll.querySelector(".sl-now") || scroll.querySelector(".sl-block"));
    if (first) scroll.scrollTop = Math.max(0, first.offsetTop - scroll.clientHeight / 3);
    document.addEventListener("htmx:afterSettle", clocks);
    // The line across the week moves, and windows open and close by themselves.
    setInterval(() => document.visibilityState === "visible" && Slotcast.refresh(["week"]), MINUTE);
  }
  document.addEventListener("DOMContentLoaded", start);
})();
