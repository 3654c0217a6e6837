/* The details of an episode or a post beside what was pressed, and the dialog in which a series is added. */
(function () {
  "use strict";

  const SHORT = 250;
  let opener = null;

  async function load(url, into) {
    const response = await fetch(url, { headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
    if (response.headers.has("HX-Redirect")) location.assign(response.headers.get("HX-Redirect"));
    if (!response.ok) throw new Error(String(response.status));
    const fresh = into.cloneNode(false);
    fresh.innerHTML = await response.text();
    Slotcast.morph(into, fresh);
  }

  /* ------------------------------------------------ details */

  function place(box, beside) {
    if (matchMedia("(max-width: 640px)").matches) {
      box.style.removeProperty("left");
      box.style.removeProperty("top");
      return;
    }
    const from = beside.getBoundingClientRect();
    const left = Math.min(Math.max(8, from.left), innerWidth - box.offsetWidth - 8);
    const isBelow = from.bottom + box.offsetHeight + 8 < innerHeight;
    const highest = Math.min(from.top - box.offsetHeight - 6, innerHeight - box.offsetHeight - 8);
    const top = isBelow ? from.bottom + 6 : Math.max(8, highest);
    box.style.setProperty("left", `${left}px`);
    box.style.setProperty("top", `${top}px`);
  }

  async function details(link) {
    const box = document.getElementById("sc-details");
    try {
      await load(link.href, box);
    } catch {
      Slotcast.toast("It cannot be shown now. Try again in a moment.", "error");
      return;
    }
    box.dataset.from = link.href;
    opener = link;
    if (!box.matches(":popover-open")) box.showPopover();
    place(box, link);
    box.tabIndex = -1;
    box.focus({ preventScroll: true });
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-details]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    details(link);
  });

  /* What is open shows the present, too. */
  function refreshDetails() {
    const box = document.getElementById("sc-details");
    if (box.matches(":popover-open")) load(box.dataset.from, box).catch(() => {});
  }

  /* ------------------------------------------------ adding */

  function ask(form, extra) {
    const query = new URLSearchParams(new FormData(form));
    if (extra) for (const [name, value] of Object.entries(extra)) value === null ? query.delete(name) : query.set(name, value);
    const box = document.getElementById("sc-add");
    const isDialog = box.contains(form);
    if (isDialog) return load(`${form.getAttribute("action")}?${query}`, box).catch(() => {});
    location.search = query;
    return null;
  }

  let timer = null;
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-asks]");
    if (!form || event.target.name !== "q" || !form.closest("[popover]")) return;
    clearTimeout(timer);
    timer = setTimeout(() => ask(form, { series: null, film: null }), SHORT);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-asks]");
    if (form && (event.target.name === "destination" || event.target.hasAttribute("data-asks-again"))) ask(form);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-asks]") || !form.closest("[popover]")) return;
    event.preventDefault();
    const hit = event.submitter || form.querySelector(".sc-hit");
    ask(form, hit && hit.value ? { series: null, film: null, [hit.name]: hit.value } : null);
  });
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-opens]");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    const box = document.getElementById(link.dataset.opens);
    // What was filled in last time belongs to another form.
    box.replaceChildren();
    await load(link.href, box).catch(() => location.assign(link.href));
    box.showPopover();
    const search = box.querySelector("#add-search");
    if (search) {
      search.value = "";
      search.focus();
    }
  });
  document.addEventListener("focusin", (event) => {
    const radio = event.target.dataset && event.target.dataset.chooses && document.getElementById(event.target.dataset.chooses);
    if (radio) radio.checked = true;
  });
  // A time chosen in the viewer's zone travels with its zone.
  document.addEventListener("formdata", (event) => {
    const until = event.formData.get("until");
    if (until) event.formData.set("until_utc", new Date(until).toISOString());
  });

  document.addEventListener("toggle", (event) => {
    if (event.target.id === "sc-details" && event.newState === "closed" && opener) {
      if (document.contains(opener) && document.activeElement === document.body) opener.focus({ preventScroll: true });
      opener = null;
    }
  }, true);

  window.Slotcast = Object.assign(window.Slotcast || {}, { refreshDetails, load });
})();
