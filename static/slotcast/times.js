/* Times in the viewer's zone: <time datetime data-time="at|exact|clock|in|until|ago"> and squares with data-at. */
(function () {
  "use strict";

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
  const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

  function sameDay(one, other) {
    return one.toDateString() === other.toDateString();
  }

  function at(when, now, format) {
    const time = (format || clock).format(when);
    if (sameDay(when, now)) return time;
    const year = when.getFullYear() === now.getFullYear() ? "" : ` ${when.getFullYear()}`;
    return `${day.format(when).replace(",", "")}${year} ${time}`;
  }

  function span(total) {
    const s = Math.max(0, Math.round(total));
    if (s < 60) return `${s} s`;
    if (s < 600) return `${Math.floor(s / 60)} min ${s % 60} s`;
    if (s < 3600) return `${Math.round(s / 60)} min`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  }

  /* How long ago, to the minute: nobody waits for what has been. */
  function since(s) {
    return s < 60 ? `${Math.round(s)} s ago` : `${span(s < 3600 ? Math.round(s / 60) * 60 : s).replace(" 0 s", "")} ago`;
  }

  function text(kind, when, now) {
    const left = (when - now) / 1000;
    if (kind === "in") return left > 0 ? `in ${span(left)}` : "due now";
    if (kind === "until") return left > 0 ? `at ${at(when, now)}, in ${span(left)}` : "now";
    if (kind === "ago") return left > -5 ? "just now" : left > -86400 ? since(-left) : at(when, now);
    if (kind === "clock") return clock.format(when);
    return at(when, now, kind === "exact" ? seconds : clock);
  }

  function show(node, now) {
    const when = new Date(node.dateTime);
    if (isNaN(when)) return;
    const words = text(node.dataset.time, when, now);
    if (node.textContent !== words) node.textContent = words;
  }

  /* Write every time below `root` for the viewer; used on what the server sent, before it is shown. */
  function localise(root) {
    const now = new Date();
    for (const node of root.querySelectorAll("time[data-time]")) {
      show(node, now);
      const when = new Date(node.dateTime);
      if (!isNaN(when)) node.title = full.format(when);
    }
    for (const node of root.querySelectorAll("[data-at]")) {
      const when = new Date(node.dataset.at);
      if (isNaN(when)) continue;
      node.title = `${node.dataset.label}, ${at(when, now)}`;
      node.setAttribute("aria-label", node.title);
    }
  }

  function tick() {
    const now = new Date();
    for (const node of document.querySelectorAll('time[data-time="in"], time[data-time="until"], time[data-time="ago"]'))
      show(node, now);
  }

  function start() {
    const name = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" })
      .formatToParts(new Date())
      .find((part) => part.type === "timeZoneName");
    for (const node of document.querySelectorAll("#sc-zone")) node.textContent = zone === name.value ? zone : `${zone.replace(/_/g, " ")} (${name.value})`;
    localise(document);
    setInterval(tick, 1000);
  }

  window.Slotcast = Object.assign(window.Slotcast || {}, { localise, span });
  document.addEventListener("DOMContentLoaded", start);
})();
