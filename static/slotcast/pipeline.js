/* What events of the pipeline do to its pages: bars move at once, a change of state is asked for. */
(function () {
  "use strict";

  const SEEN_MOST = 500;
  const LISTS = ["pipe-tiles", "pipe-now", "pipe-line", "pipe-trouble", "pipe-runs", "pipe-run"];
  const ENDED = ["pipe-stats", "pipe-tries", "pipe-grid", "pipe-plans", "pipe-late"];
  const states = new Map();

  function write(row, name, text) {
    const node = row.querySelector(`[data-live-${name}]`);
    if (node && node.textContent !== text) node.textContent = text;
  }

  function show(job) {
    for (const row of document.querySelectorAll(`[data-run="${CSS.escape(job.id)}"]`)) {
      const bar = row.querySelector("[data-live-bar]");
      if (bar) bar.value = job.progress;
      write(row, "percent", `${job.progress}%`);
      write(row, "stage", job.stage);
    }
  }

  /* Only what is told by the same state is progress; everything else moves a row from one list to another. */
  function ran(job) {
    if (job.many) return Slotcast.refresh([...LISTS, ...ENDED]);
    show(job);
    const state = `${job.status} ${job.attempt} ${job.cancelRequested} ${job.error}`;
    if (states.get(job.id) === state) return undefined;
    if (states.size > SEEN_MOST) states.clear();
    states.set(job.id, state);
    const ended = !["queued", "running"].includes(job.status);
    return Slotcast.refresh(ended ? [...LISTS, ...ENDED] : LISTS);
  }

  window.Slotcast = Object.assign(window.Slotcast || {}, { ran });
})();
