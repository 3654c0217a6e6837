/* Refreshing the partials of the page: one request for all that changed, at most one in 300 ms. */
(function () {
  "use strict";

  const QUIET = 300;
  const waiting = new Set();
  let timer = null;
  let isAsking = false;
  let isHeld = false;

  function names() {
    return [...document.querySelectorAll("[data-part]")].map((node) => node.dataset.part);
  }

  function address(parts) {
    const url = new URL(location.href);
    url.hash = "";
    url.searchParams.set("parts", parts.join(","));
    return url.pathname + url.search;
  }

  async function ask() {
    timer = null;
    if (isAsking || isHeld || !waiting.size) return;
    const parts = [...waiting];
    waiting.clear();
    isAsking = true;
    try {
      await htmx.ajax("GET", address(parts), { source: "#sc", target: "#sc", swap: "none" });
    } catch {
      // A page that cannot be refreshed now is refreshed when the connection is back.
    }
    isAsking = false;
    soon();
  }

  function soon() {
    if (waiting.size && timer === null && !isAsking && !isHeld) timer = setTimeout(ask, QUIET);
  }

  /* Ask for these partials again, or for all of them. */
  function refresh(parts) {
    const here = names();
    for (const part of parts || here) if (here.includes(part)) waiting.add(part);
    soon();
  }

  /* Nothing moves under a person's finger: refreshes wait until released. */
  function hold(isOn) {
    isHeld = isOn;
    soon();
  }

  window.Slotcast = Object.assign(window.Slotcast || {}, { refresh, holdRefresh: hold, partNames: names });
})();
