/*
 * By hand in the week: a free place pressed opens the form of a window there, a window dragged opens its form with
 * the new times, a video dragged onto a window goes in it. The links and forms of the page do the same by keyboard.
 */
(function () {
  "use strict";

  const FAR = 5;
  const STEP = 15;
  const DAY = 24 * 60;
  let drag = null;
  let isJustDropped = false;

  const two = (number) => String(number).padStart(2, "0");

  function clock(minutes, seconds) {
    const at = ((minutes % DAY) + DAY) % DAY;
    return `${two(Math.floor(at / 60))}:${two(at % 60)}:${two(seconds)}`;
  }

  /* The day and the minute at a point; null: not in the week. */
  function place(x, y) {
    const column = document.elementsFromPoint(x, y).map((node) => node.closest(".sl-col")).find(Boolean);
    if (!column) return null;
    const box = column.getBoundingClientRect();
    const minute = ((y - box.top) / box.height) * DAY;
    return { day: column.closest("[data-day]").dataset.day, minute: Math.min(Math.max(minute, 0), DAY - 1), column };
  }

  function round(minute) {
    return Math.min(Math.round(minute / STEP) * STEP, DAY - STEP);
  }

  async function open(address) {
    const box = document.getElementById("sc-add");
    box.replaceChildren();
    try {
      await Slotcast.load(address, box);
    } catch {
      Slotcast.toast("The form cannot be shown now. Try again in a moment.", "error");
      return;
    }
    box.showPopover();
  }

  /* ------------------------------------------------ a free place */

  function isGrid() {
    return getComputedStyle(document.getElementById("sl-week")).display === "grid";
  }

  document.addEventListener("click", (event) => {
    if (isJustDropped) {
      isJustDropped = false;
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    const column = event.target.closest(".sl-col[data-free]");
    const week = document.getElementById("sl-week");
    if (!column || event.target.closest(".sl-block") || !week.dataset.new || !isGrid()) return;
    const at = place(event.clientX, event.clientY);
    if (!at) return;
    const start = Math.floor(at.minute / 60) * 60;
    const query = new URLSearchParams({ day: at.day, start_time: clock(start, 0), end_time: clock(start + 59, 59), time_zone: week.dataset.zone });
    open(`${week.dataset.new}?${week.dataset.query}&${query}`);
  }, true);

  /* ------------------------------------------------ dragging */

  function ghost(text) {
    const node = document.createElement("div");
    node.className = "sl-ghost";
    node.textContent = text;
    document.getElementById("sc").append(node);
    return node;
  }

  function begin(event) {
    if (event.button > 0 || event.pointerType === "touch" || event.target.closest("button, summary")) return;
    const chip = event.target.closest("[data-chip]");
    const block = event.target.closest("[data-window]");
    if ((!chip && !block) || !isGrid()) return;
    if (!chip && event.target.closest(".sl-videos a")) return;
    drag = { chip, block: chip ? null : block, x: event.clientX, y: event.clientY, node: null, grip: 0 };
    if (drag.block) drag.grip = ((event.clientY - block.getBoundingClientRect().top) / block.parentElement.getBoundingClientRect().height) * DAY;
  }

  function mark(node) {
    for (const other of document.querySelectorAll(".sl-target")) if (other !== node) other.classList.remove("sl-target");
    if (node) node.classList.add("sl-target");
  }

  function move(event) {
    if (!drag) return undefined;
    if (!drag.node) {
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < FAR) return undefined;
      drag.node = ghost((drag.chip || drag.block.querySelector(".sl-name")).textContent.trim());
      Slotcast.holdRefresh(true);
    }
    event.preventDefault();
    drag.node.style.translate = `${event.clientX + 12}px ${event.clientY + 8}px`;
    const at = place(event.clientX, event.clientY);
    if (drag.chip) return mark(dropAt(event));
    if (at) drag.node.textContent = `${at.day.slice(0, 3)} ${clock(round(at.minute - drag.grip), 0).slice(0, 5)}`;
    return mark(at ? at.column : null);
  }

  function dropAt(event) {
    const under = document.elementsFromPoint(event.clientX, event.clientY);
    return under.map((node) => node.closest("[data-drop]")).find(Boolean) || null;
  }

  async function end(event) {
    if (!drag) return;
    const { chip, block, node, grip } = drag;
    drag = null;
    if (!node) return;
    node.remove();
    mark(null);
    isJustDropped = true;
    // The click that follows a drop on the same element is none; without one the next click is meant.
    setTimeout(() => (isJustDropped = false));
    if (event.type === "pointerup") {
      if (chip) {
        const onto = dropAt(event);
        if (onto && !onto.contains(chip)) await dropOnto(onto, chip.dataset.chip);
      } else await moved(block, place(event.clientX, event.clientY), grip);
    }
    Slotcast.holdRefresh(false);
  }

  async function moved(block, at, grip) {
    if (!at) return;
    const week = document.getElementById("sl-week");
    if (block.dataset.ownZone !== week.dataset.zone) {
      Slotcast.toast(`Show the week by the clock of ${block.dataset.ownZone} to drag this window.`, "error");
      return;
    }
    const start = round(at.minute - grip);
    const end = start + Number(block.dataset.minutes);
    await open(`${block.dataset.window}?${new URLSearchParams({ day: at.day, start_time: clock(start, 0), end_time: clock(end - 1, 59) })}`);
  }

  function dropOnto(onto, url) {
    const values = Object.fromEntries(new FormData(document.getElementById("sc-do")));
    values.onto = onto.dataset.drop;
    values.parts = Slotcast.partNames().join(",");
    return htmx.ajax("POST", url, { source: "#sc", target: "#sc", swap: "none", values }).catch(() => Slotcast.refresh());
  }

  function giveUp(event) {
    if (event.key !== "Escape" || !drag || !drag.node) return;
    drag.node.remove();
    mark(null);
    drag = null;
    Slotcast.holdRefresh(false);
  }

  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);
  document.addEventListener("keydown", giveUp);
  document.addEventListener("dragstart", (event) => event.target.closest(".sl-week") && event.preventDefault());
  window.Slotcast = Object.assign(window.Slotcast || {}, { dropAt, dropOnto });
})();
