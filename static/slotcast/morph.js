/*
 * The swap style `morph`: change what differs and leave the rest of the page alone, so that focus, scroll,
 * open popovers and half-filled fields survive a refresh. Elements with an id are matched by it.
 */
(function () {
  "use strict";

  // What a person may have changed or opened since the server wrote it.
  const THEIRS = new Set(["open", "value", "checked", "selected"]);

  function isBusy(node) {
    return node === document.activeElement || (node.closest && node.closest(":popover-open") !== null);
  }

  function attributes(from, to) {
    for (const { name } of [...from.attributes]) {
      if (to.hasAttribute(name) || name === "open" || name === "data-waiting") continue;
      from.removeAttribute(name);
    }
    const isField = /^(INPUT|SELECT|TEXTAREA|OPTION|DETAILS)$/.test(from.tagName);
    for (const { name, value } of to.attributes) {
      if (isField && THEIRS.has(name)) continue;
      if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
  }

  function field(from, to) {
    if (from.tagName === "INPUT" && from.type === "hidden") from.value = to.getAttribute("value") || "";
    if (from.tagName === "SELECT" && !isBusy(from)) {
      const chosen = to.querySelector("option[selected]");
      if (chosen) from.value = chosen.value;
    }
  }

  function isSame(one, other) {
    return one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id || "") === (other.id || "");
  }

  function one(from, to) {
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    // What a script of the page fills is the script's.
    if (to.hasAttribute("data-kept") || from.isEqualNode(to)) return;
    attributes(from, to);
    children(from, to);
    field(from, to);
  }

  function children(from, to) {
    const byId = new Map();
    for (const child of from.children) if (child.id) byId.set(child.id, child);
    const wanted = new Set([...to.children].map((child) => child.id).filter(Boolean));
    let at = from.firstChild;
    for (const next of [...to.childNodes]) {
      while (at && at.id && !wanted.has(at.id)) at = remove(at);
      let match = null;
      if (next.id && byId.has(next.id)) match = byId.get(next.id);
      else if (at && isSame(at, next)) match = at;
      if (!match) {
        from.insertBefore(next, at);
        htmx.process(next.nodeType === Node.ELEMENT_NODE ? next : from);
        continue;
      }
      if (match === at) at = at.nextSibling;
      else from.insertBefore(match, at);
      one(match, next);
    }
    while (at) at = remove(at);
  }

  function remove(node) {
    const next = node.nextSibling;
    node.remove();
    return next;
  }

  /* Make `from` look like `to`; a lost focus goes to the heading of the part it was in. */
  function morph(from, to) {
    Slotcast.localise(to);
    const focused = from.contains(document.activeElement) ? document.activeElement : null;
    one(from, to);
    if (!focused) return;
    if (document.contains(focused)) {
      // An element moved to another place loses its focus.
      if (document.activeElement !== focused) focused.focus({ preventScroll: true });
      return;
    }
    const again = focused.id && document.getElementById(focused.id);
    const place = again || from.querySelector("h2");
    if (!place) return;
    if (!again) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  }

  htmx.defineExtension("morph", {
    isInlineSwap: (style) => style === "morph",
    handleSwap: (style, target, fragment) => {
      if (style !== "morph") return false;
      morph(target, fragment.nodeType === Node.DOCUMENT_FRAGMENT_NODE ? fragment.firstElementChild : fragment);
      return [target];
    },
  });
  window.Slotcast = Object.assign(window.Slotcast || {}, { morph });
})();
