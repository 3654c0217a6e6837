/* Dialogs keep the keyboard until they are closed: those of the live pages, and those the admin's frame brings. */
(function () {
  "use strict";

  const STOPS = "a[href], button, input, select, textarea, summary";
  // Frames until a dialog of the admin is seen, or has gone: it fades.
  const PATIENCE = 120;
  let opener = null;

  function isSeen(node) {
    return node !== null && node.getClientRects().length > 0;
  }

  function ofFrame() {
    return document.querySelector("#modal-content > #dialog");
  }

  function openDialog() {
    const own = [...document.querySelectorAll(".sc-dialog:popover-open")].pop();
    return own || (isSeen(ofFrame()) ? ofFrame() : null);
  }

  function isStop(node) {
    if (node.disabled || node.type === "hidden" || node.tabIndex < 0 || !isSeen(node)) return false;
    // Of radio buttons of one name the keyboard stops at the chosen one.
    if (node.type !== "radio" || node.checked || !node.form) return true;
    return ![...node.form.elements].some((other) => other.name === node.name && other.checked);
  }

  function stopsOf(box) {
    return [...box.querySelectorAll(STOPS)].filter(isStop);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    const box = openDialog();
    const stops = box ? stopsOf(box) : [];
    if (!stops.length) return;
    const at = stops.indexOf(document.activeElement);
    const isOut = !box.contains(document.activeElement);
    if (!isOut && at !== (event.shiftKey ? 0 : stops.length - 1)) return;
    event.preventDefault();
    stops.at(event.shiftKey ? -1 : 0).focus();
  });

  /* ------------------------------------------------ those of the frame neither take the keyboard nor give it back */

  function when(isSo, then, left = PATIENCE) {
    if (isSo()) then();
    else if (left) requestAnimationFrame(() => when(isSo, then, left - 1));
  }

  function closing() {
    if (opener === null) return;
    const back = opener;
    when(() => !isSeen(ofFrame()), () => {
      opener = null;
      if (document.contains(back)) back.focus();
    });
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    const box = ofFrame();
    if (event.target.id !== "modal-content" || box === null) return;
    opener = document.activeElement;
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-modal", "true");
    box.setAttribute("aria-label", box.querySelector("h1")?.textContent.trim() || "Dialog");
    when(() => isSeen(box), () => stopsOf(box)[0]?.focus());
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closing();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("#dialog [x-on\\:click]")) closing();
  });
})();
