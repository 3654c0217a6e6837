/* The posts page: the viewer's zone, the clocks, the keyboard, and the dialog in which a post gets another time. */
(function () {
  "use strict";

  const SHORT = 250;
  const KEY_TARGETS = "input, textarea, select, [contenteditable]";

  /* ------------------------------------------------ the viewer's zone */

  // The server groups posts by day: it must know on whose clock.
  function tellZone() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!zone) return;
    const known = document.cookie.split("; ").includes(`sc_zone=${encodeURIComponent(zone)}`);
    if (known) return;
    document.cookie = `sc_zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
    const shown = document.querySelector("#sc-clock, #form-zone");
    if (shown && shown.dataset.zone !== zone && !new URLSearchParams(location.search).has("zone")) location.reload();
  }

  const clocks = new Map();
  function clock(zone) {
    if (!clocks.has(zone))
      clocks.set(zone, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" }));
    return clocks.get(zone);
  }

  function tick() {
    const now = new Date();
    for (const node of document.querySelectorAll("[data-clock]")) {
      const words = clock(node.dataset.clock).format(now);
      if (node.textContent !== words) node.textContent = words;
    }
    for (const line of document.querySelectorAll(".sc-now-line")) {
      const step = String(Math.floor(now.getMinutes() / 5));
      if (line.dataset.step !== step) line.dataset.step = step;
    }
  }

  // What is “now”, past, or at risk changes without an event.
  function everyMinute() {
    if (document.visibilityState === "visible") Slotcast.refresh(["calendar"]);
  }

  /* ------------------------------------------------ the dialog */

  async function openDialog(url) {
    const box = document.getElementById("sc-move");
    try {
      box.replaceChildren();
      await Slotcast.load(url, box);
    } catch {
      Slotcast.toast("It cannot be shown now. Try again in a moment.", "error");
      return;
    }
    box.dataset.from = url;
    if (!box.matches(":popover-open")) box.showPopover();
    const field = box.querySelector("#move-at:not([disabled])") || box.querySelector("button");
    if (field) field.focus();
  }

  let timer = null;
  let asked = 0;
  async function look(form) {
    const box = document.getElementById("sc-move");
    if (!box.contains(form)) return;
    const query = new URLSearchParams(new FormData(form));
    query.delete("csrfmiddlewaretoken");
    query.delete("next");
    const number = ++asked;
    const probe = box.cloneNode(false);
    try {
      await Slotcast.load(`${form.getAttribute("action")}?${query}`, probe);
    } catch {
      return;
    }
    // Only the answer to what stands in the fields now is shown.
    if (number === asked) Slotcast.morph(box, probe);
    const at = box.querySelector("#move-at");
    if (at) at.disabled = Boolean(box.querySelector("#move-tray:checked"));
  }

  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-dry]");
    if (!form) return;
    const save = form.querySelector("#move-do");
    if (save) save.disabled = true;
    clearTimeout(timer);
    timer = setTimeout(() => look(form), SHORT);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    openDialog(link.href);
  });

  /* ------------------------------------------------ the keyboard */

  function chips() {
    return [...document.querySelectorAll("#part-calendar a[data-post], #part-tray a[data-post]")].filter((chip) => chip.checkVisibility());
  }

  /* The nearest post in the direction of the arrow, as the eye sees it. */
  function beside(from, key) {
    const here = from.getBoundingClientRect();
    const [x, y] = [here.left + here.width / 2, here.top + here.height / 2];
    let best = null;
    for (const chip of chips()) {
      if (chip === from) continue;
      const box = chip.getBoundingClientRect();
      const [dx, dy] = [box.left + box.width / 2 - x, box.top + box.height / 2 - y];
      const [along, across] = { ArrowRight: [dx, dy], ArrowLeft: [-dx, dy], ArrowDown: [dy, dx], ArrowUp: [-dy, dx] }[key];
      if (along < 4) continue;
      const far = along + Math.abs(across) * 3;
      if (!best || far < best.far) best = { chip, far };
    }
    return best && best.chip;
  }

  function arrow(event) {
    const on = event.target.closest && event.target.closest("a[data-post]");
    const next = on ? beside(on, event.key) : chips()[0];
    if (!next || (!on && event.target !== document.body)) return;
    event.preventDefault();
    next.focus();
  }

  function keyed(key) {
    return [...document.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key && node.checkVisibility());
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest && event.target.closest(KEY_TARGETS)) return;
    const dialog = [...document.querySelectorAll(".sc-dialog")].some((box) => box.matches(":popover-open"));
    if (dialog) return;
    if (event.key.startsWith("Arrow")) {
      arrow(event);
      return;
    }
    const post = event.target.closest && event.target.closest("a[data-post]");
    if (event.key === "m" && post && post.hasAttribute("data-movable")) {
      event.preventDefault();
      openDialog(`${post.href}move/`);
      return;
    }
    const node = keyed(event.key);
    if (!node) return;
    event.preventDefault();
    if (node.matches("input")) node.focus();
    else node.click();
  });

  /* ------------------------------------------------ */

  function start() {
    if (!document.getElementById("sc-move")) return;
    tellZone();
    tick();
    setInterval(tick, 1000);
    setInterval(everyMinute, 60000);
    document.addEventListener("htmx:afterSettle", tick);
    const now = document.querySelector("tr[data-now]");
    const scroll = now && now.closest(".sc-scroll");
    if (scroll && scroll.scrollHeight > scroll.clientHeight) scroll.scrollTop = now.offsetTop - 120;
  }

  document.addEventListener("DOMContentLoaded", start);
  window.Slotcast = Object.assign(window.Slotcast || {}, { openPostDialog: openDialog });
})();
