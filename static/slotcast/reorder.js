/* Dragging a series to another place in its line, with mouse, pen or finger. Buttons do the same by keyboard. */
(function () {
  "use strict";

  const EDGE = 60;
  let drag = null;

  function begin(event) {
    const handle = event.target.closest("[data-handle]");
    if (!handle || event.button > 0) return;
    const card = handle.closest("[data-schedule]");
    const line = card.closest("[data-line]");
    if (!line) return;
    event.preventDefault();
    drag = { card, line, home: card.nextElementSibling, at: event.clientY };
    handle.setPointerCapture(event.pointerId);
    card.classList.add("sc-dragged");
    Slotcast.holdRefresh(true);
  }

  function move(event) {
    if (!drag) return;
    const { card, line } = drag;
    const others = [...line.querySelectorAll(":scope > [data-schedule]")].filter((other) => other !== card);
    const below = others.find((other) => {
      const box = other.getBoundingClientRect();
      return event.clientY < box.top + box.height / 2;
    });
    if ((below || null) !== card.nextElementSibling) line.insertBefore(card, below || null);
    if (event.clientY < EDGE) window.scrollBy(0, -12);
    else if (event.clientY > innerHeight - EDGE) window.scrollBy(0, 12);
  }

  async function end(event) {
    if (!drag) return;
    const { card, line, home } = drag;
    drag = null;
    card.classList.remove("sc-dragged");
    const onto = event.type === "pointerup" && Slotcast.dropAt ? Slotcast.dropAt(event) : null;
    if (onto) {
      line.insertBefore(card, home);
      await Slotcast.dropOnto(onto, card.querySelector('[name="direction"]').getAttribute("formaction"));
    } else if (event.type === "pointercancel") line.insertBefore(card, home);
    else if (card.nextElementSibling !== home) await tell(card);
    Slotcast.holdRefresh(false);
  }

  function tell(card) {
    const next = card.nextElementSibling;
    const form = document.getElementById("sc-do");
    const values = Object.fromEntries(new FormData(form));
    values.before = next ? next.dataset.schedule : card.closest("[data-line]").dataset.behind || "";
    values.parts = Slotcast.partNames().join(",");
    const url = card.querySelector('[name="direction"]').getAttribute("formaction");
    return htmx.ajax("POST", url, { source: "#sc", target: "#sc", swap: "none", values }).catch(() => Slotcast.refresh(["series"]));
  }

  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);
})();
