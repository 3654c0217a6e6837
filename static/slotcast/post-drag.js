/* Dragging a post to another day or hour with mouse or pen; the drop shows a dry run and changes nothing by itself. */
(function () {
  "use strict";

  const SLACK = 6;
  const EDGE = 60;
  let drag = null;
  let isDropped = false;

  function begin(event) {
    const chip = event.target.closest("a[data-movable]");
    if (!chip || event.button > 0 || event.pointerType === "touch") return;
    drag = { chip, x: event.clientX, y: event.clientY, ghost: null, cell: null };
  }

  function lift(event) {
    const { chip } = drag;
    const ghost = chip.cloneNode(true);
    ghost.removeAttribute("id");
    ghost.classList.add("sc-ghost");
    ghost.style.setProperty("width", `${chip.offsetWidth}px`);
    document.getElementById("sc").append(ghost);
    chip.classList.add("sc-dragged");
    drag.ghost = ghost;
    document.documentElement.classList.add("sc-dragging");
    Slotcast.holdRefresh(true);
    const details = document.getElementById("sc-details");
    if (details.matches(":popover-open")) details.hidePopover();
    follow(event);
  }

  function target(event) {
    const under = document.elementFromPoint(event.clientX, event.clientY);
    const cell = under && under.closest("[data-day], [data-tray]");
    if (!cell || cell.hasAttribute("data-skipped")) return null;
    // A lane is an account: a post stays on its own.
    const own = drag.chip.closest("[data-account]");
    if (own && cell.dataset.account && own.dataset.account !== cell.dataset.account) return null;
    return cell;
  }

  function follow(event) {
    drag.ghost.style.setProperty("transform", `translate(${event.clientX + 8}px, ${event.clientY + 8}px)`);
    const cell = target(event);
    if (cell !== drag.cell) {
      if (drag.cell) drag.cell.removeAttribute("data-over");
      if (cell) cell.setAttribute("data-over", "");
      drag.cell = cell;
    }
    if (event.clientY < EDGE) window.scrollBy(0, -12);
    else if (event.clientY > innerHeight - EDGE) window.scrollBy(0, 12);
  }

  function move(event) {
    if (!drag) return;
    if (!drag.ghost && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < SLACK) return;
    event.preventDefault();
    if (drag.ghost) follow(event);
    else lift(event);
  }

  /* The time that the cell stands for: its day and hour, with the post's own minutes. */
  function wall(cell) {
    const [, time] = (drag.chip.dataset.wall || "T12:00").split("T");
    const hour = cell.dataset.hour === undefined ? time.slice(0, 2) : cell.dataset.hour.padStart(2, "0");
    return `${cell.dataset.day}T${hour}${time.slice(2)}`;
  }

  function release(isKept) {
    const { chip, ghost, cell } = drag;
    let url = "";
    if (ghost) {
      ghost.remove();
      chip.classList.remove("sc-dragged");
      document.documentElement.classList.remove("sc-dragging");
      if (cell) cell.removeAttribute("data-over");
      if (isKept && cell && !cell.contains(chip)) {
        const query = cell.hasAttribute("data-tray") ? "tray=1" : `at=${encodeURIComponent(wall(cell))}`;
        url = `${chip.href}move/?${query}`;
      }
      Slotcast.holdRefresh(false);
    }
    drag = null;
    if (url) Slotcast.openPostDialog(url);
  }

  function end(event) {
    if (!drag) return;
    // The click that ends a drag opens nothing.
    isDropped = drag.ghost !== null;
    if (isDropped) setTimeout(() => (isDropped = false));
    release(event.type === "pointerup");
  }

  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);
  document.addEventListener("keydown", (event) => {
    if (drag && event.key === "Escape") release(false);
  });
  // The browser's own dragging of links would take the pointer away.
  document.addEventListener("dragstart", (event) => {
    if (event.target.closest && event.target.closest("a[data-post]")) event.preventDefault();
  });
  document.addEventListener(
    "click",
    (event) => {
      if (!isDropped) return;
      isDropped = false;
      event.preventDefault();
      event.stopPropagation();
    },
    true
  );
})();
