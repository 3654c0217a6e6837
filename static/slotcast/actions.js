/* Buttons and choices without a new page. Everything here also works as a plain form or link. */
(function () {
  "use strict";

  const TOAST_MS = 6000;

  /* ------------------------------------------------ toasts */

  function toast(text, level) {
    const tray = document.getElementById("sc-toasts");
    const note = document.createElement("div");
    note.className = `sc-toast sc-${level}`;
    note.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "sc-toast-close";
    close.setAttribute("aria-label", "Dismiss");
    close.textContent = "×";
    close.addEventListener("click", () => dismiss(note));
    note.append(close);
    // Shown again each time, so that it lies above whatever else is open.
    if (tray.matches(":popover-open")) tray.hidePopover();
    tray.append(note);
    tray.showPopover();
    if (level !== "error") setTimeout(() => dismiss(note), TOAST_MS);
    else setTimeout(() => dismiss(note), TOAST_MS * 3);
  }

  function dismiss(note) {
    const tray = note.parentElement;
    note.remove();
    if (tray && !tray.children.length) tray.hidePopover();
  }

  document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.level));
  // A refusal brings the present state with it.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status === 409) event.detail.shouldSwap = true;
  });
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    if (status !== 409 && status !== 403) toast(`The server answered ${status}. Nothing was changed; try again.`, "error");
    // What was pressed may be gone: show what there is.
    if (status === 404) Slotcast.refresh();
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (event.detail.requestConfig.verb !== "get") toast("The server cannot be reached. Try again in a moment.", "error");
  });

  /* ------------------------------------------------ forms that change something */

  async function send(form, submitter) {
    const values = new FormData(form, submitter);
    values.set("parts", Slotcast.partNames().join(","));
    const url = (submitter && submitter.getAttribute("formaction")) || form.getAttribute("action");
    const button = submitter || form;
    button.setAttribute("data-waiting", "");
    button.setAttribute("aria-busy", "true");
    const around = button.closest("[popover]");
    let status = 0;
    const hear = ({ detail }) => {
      if (detail.requestConfig.verb === "post" && detail.requestConfig.path === url) status = detail.xhr.status;
    };
    document.addEventListener("htmx:afterRequest", hear);
    try {
      await htmx.ajax("POST", url, { source: "#sc", target: "#sc", swap: "none", values });
    } catch {
      return;
    } finally {
      document.removeEventListener("htmx:afterRequest", hear);
      button.removeAttribute("data-waiting");
      button.removeAttribute("aria-busy");
    }
    // What was filled in and refused stays, to be corrected.
    const stays = status >= 400 && around && around.contains(form);
    if (around && !stays && around.matches(":popover-open")) around.hidePopover();
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.hasAttribute("data-live")) return;
    event.preventDefault();
    if (event.submitter && event.submitter.hasAttribute("data-waiting")) return;
    send(form, event.submitter);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-on-change]");
    if (form) form.requestSubmit();
  });

  /* ------------------------------------------------ choices, which live in the address */

  function choose(link, how) {
    const asked = new URL(link, location.href);
    const url = how ? new URL(location.href) : asked;
    if (how) for (const [name, value] of asked.searchParams) how === "add" ? url.searchParams.append(name, value) : url.searchParams.set(name, value);
    history.pushState({}, "", url.pathname + url.search);
    Slotcast.refresh(CHOSEN);
    const shown = asked.hash && document.querySelector(asked.hash);
    if (shown) shown.scrollIntoView({ block: "start" });
  }

  // The parts that show what the address asks for.
  const CHOSEN = ["tiles", "series", "calendar", "tray", "jobs-tiles", "jobs-bar", "jobs-list", "jobs-charts", "pipe-tiles", "pipe-stats", "pipe-tries", "pipe-grid", "pipe-runs"];
  function hasChoice() {
    return Slotcast.partNames().some((name) => ["series", "calendar", "jobs-list", "pipe-runs"].includes(name));
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-choice]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || !hasChoice()) return;
    event.preventDefault();
    choose(link.href, link.dataset.choice);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-choice]")) return;
    event.preventDefault();
    const asked = new URLSearchParams(new FormData(event.target));
    for (const [name, value] of [...asked]) if (!value) asked.delete(name);
    choose(`?${asked}${new URL(event.target.action).hash}`, "");
  });
  window.addEventListener("popstate", () => Slotcast.refresh());

  window.Slotcast = Object.assign(window.Slotcast || {}, { toast });
})();
