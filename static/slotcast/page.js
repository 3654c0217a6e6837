/* What live events do to the page: bars move at once, everything else is asked for again. */
(function () {
  "use strict";

  const STAGES = {
    uploading: "Uploading",
    creating: "Creating the video",
    encoding: "Encoding at the platform",
    checking: "Checking what arrived",
    probing: "Probing",
    splitting: "Splitting",
    transcoding: "Transcoding",
    merging: "Merging",
    packaging: "Packaging",
  };
  const POLL_MS = 15000;
  const SAY_MS = 4000;
  const WORDS = { live: "Live", reconnecting: "Reconnecting", offline: "Offline", waiting: "Not live" };

  /* As the server writes sizes, so that a number does not jump when a job ends. */
  function size(bytes) {
    for (const [unit, scale] of [["GB", 2 ** 30], ["MB", 2 ** 20], ["KB", 2 ** 10]])
      if (bytes >= scale) return `${(bytes / scale).toFixed(1)} ${unit}`;
    return `${Math.round(bytes)} bytes`;
  }

  function write(row, name, text) {
    const node = row.querySelector(`[data-live-${name}]`);
    if (node && node.textContent !== text) node.textContent = text;
  }

  /* ------------------------------------------------ one upload moving */

  function facts(row, job) {
    if (job.stage === "uploading") {
      write(row, "bytes", `${size(job.bytesSent)} of ${size(job.bytesTotal)}`);
      write(row, "speed", job.bytesPerSecond > 0 ? `${size(job.bytesPerSecond)}/s` : "");
      write(row, "left", job.secondsLeft === null ? "" : `${Slotcast.span(job.secondsLeft)} left`);
    } else {
      write(row, "bytes", "");
      write(row, "speed", "");
      write(row, "left", "");
    }
    if (STAGES[job.stage]) write(row, "stage", STAGES[job.stage]);
  }

  function bar(row, percent, stage) {
    const node = row.querySelector("[data-live-bar]");
    if (node) {
      node.value = percent;
      if (stage) node.dataset.stage = stage;
    }
    write(row, "percent", `${percent}%`);
  }

  const OF_JOBS = ["jobs-kinds", "jobs-tiles", "jobs-list", "job"];

  // Jobs that are none of this page's, such as a film's: asked for once.
  const others = new Set();

  function moved(job) {
    const rows = document.querySelectorAll(`[data-job="${Number(job.jobId)}"]`);
    if (!rows.length) {
      if (!others.has(job.jobId))
        Slotcast.refresh([...OF_JOBS, ...(job.uploadType === "media" ? ["calendar", "post"] : ["now"])]);
      others.add(job.jobId);
    }
    for (const row of rows) {
      bar(row, job.progress, job.stage);
      facts(row, job);
      if (job.filesTotal) write(row, "files", `${job.filesDone} of ${job.filesTotal} files`);
      woken(row, job.jobId);
    }
  }

  /* A row that still says “waiting” belongs to a worker by now: its state is asked for, once. */
  function woken(row, id) {
    if (row.dataset.s === undefined || row.dataset.s === "active" || !row.classList.contains("sc-job") || others.has(id)) return;
    others.add(id);
    Slotcast.refresh(OF_JOBS);
  }

  function transcoded(job) {
    const rows = document.querySelectorAll(`[data-transcode="${Number(job.id)}"]`);
    if (!rows.length && !others.has(job.jobId)) {
      others.add(job.jobId);
      Slotcast.refresh(OF_JOBS);
    }
    for (const row of rows) {
      bar(row, job.progress, job.stage);
      write(row, "stage", STAGES[job.stage] || job.stage);
      write(row, "pieces", `${job.piecesDone} of ${job.piecesTotal} pieces`);
      write(row, "frames", job.framesPerSecond > 0 ? `${Math.round(job.framesPerSecond)} frames/s` : "");
      woken(row, job.jobId);
    }
  }

  /* What the server rendered carries plain numbers; they are put into words here. */
  function worded(root) {
    for (const row of root.querySelectorAll("[data-job]")) {
      const read = (name, key) => {
        const node = row.querySelector(`[data-live-${name}]`);
        return node && node.dataset[key] ? Number(node.dataset[key]) : null;
      };
      const node = row.querySelector("[data-live-bar]");
      if (node && node.dataset.stage === "uploading")
        facts(row, {
          stage: "uploading",
          bytesSent: read("bytes", "sent") || 0,
          bytesTotal: read("bytes", "total") || 0,
          bytesPerSecond: read("speed", "speed") || 0,
          secondsLeft: read("left", "seconds"),
        });
    }
  }

  /* ------------------------------------------------ everything else */

  const OF_POSTS = ["calendar", "tray", "attention", "post", "posts-card"];
  const PARTS = {
    upload_scheduled: ["tiles", "destinations", "next", "series", "now", "events"],
    upload_complete: ["tiles", "destinations", "now", "next", "trouble", "series", "events"],
    upload_error: ["tiles", "now", "next", "trouble", "series", "events"],
    queue_changed: ["tiles", "destinations", "now", "next", "trouble", "series", "events", "week", "line"],
    slots_changed: ["bar", "week", "line", "blackouts", "windows-card"],
    match: ["counts", "matches"],
    destination_changed: ["destinations", "now", "next", "events", "week", "line", "attention", "post"],
    post_scheduled: OF_POSTS,
    post_media_uploaded: OF_POSTS,
    post_published: OF_POSTS,
    post_failed: OF_POSTS,
    JobCompleted: ["now", "events", "calendar", "post", ...OF_JOBS, "jobs-charts"],
    JobFailed: ["now", "trouble", "events", "post", ...OF_JOBS, "jobs-causes", "jobs-charts"],
    JobCancelled: ["now", "trouble", "events", ...OF_JOBS],
    job_changed: [...OF_JOBS, "jobs-causes"],
  };

  function onEvent({ type, data }) {
    if (type === "uploadProgress") return moved(data);
    if (type === "transcodeProgress") return transcoded(data);
    if (type === "upload_progress") return undefined;
    if (type === "pipeline_job") return Slotcast.ran ? Slotcast.ran(data) : undefined;
    if (type === "reset") return everything();
    if (PARTS[type]) {
      others.clear();
      Slotcast.refresh(PARTS[type]);
      Slotcast.refreshDetails();
    }
    return undefined;
  }

  function everything() {
    Slotcast.refresh();
    Slotcast.refreshDetails();
  }

  let state = "waiting";
  function onState(now) {
    const pill = document.getElementById("sc-live");
    if (pill) {
      pill.dataset.state = now;
      pill.querySelector("[data-word]").textContent = WORDS[now] || now;
    }
    // Events that were missed are replayed; what runs without events is looked at again.
    if (now === "live" && state !== "waiting" && state !== "live") everything();
    state = now;
  }

  /* Say numbers that changed, not oftener than somebody can listen to. */
  let told = "";
  let saying = null;
  function say() {
    if (saying) return;
    saying = setTimeout(() => {
      saying = null;
      const words = [...document.querySelectorAll(".sc-tile")]
        .map((tile) => `${tile.querySelector(".sc-tile-label").textContent.trim()} ${tile.querySelector(".sc-tile-count").textContent.trim()}`)
        .join(", ");
      if (told && words && words !== told) document.getElementById("sc-said").textContent = words;
      told = words;
    }, SAY_MS);
  }

  function start() {
    const page = document.getElementById("sc");
    if (!page || !document.querySelector("[data-part]")) return;
    // On a phone a form that takes the whole screen waits to be asked for, unless it says what is chosen.
    if (matchMedia("(max-width: 640px)").matches)
      for (const fold of document.querySelectorAll("[data-folds]:not([data-given])")) fold.open = false;
    worded(document);
    say();
    document.addEventListener("htmx:afterSettle", () => {
      worded(document);
      say();
    });
    Slotcast.live({
      topics: page.dataset.topics.split(","),
      after: page.dataset.position === undefined ? undefined : Number(page.dataset.position),
      onEvent,
      onReset: everything,
      onState,
    });
    // Workers that vanish send nothing; without a stream everything is looked at.
    setInterval(() => {
      if (document.visibilityState !== "visible") return;
      if (state === "live") Slotcast.refresh(["alert", "health", "posts-alert", "attention", "post", "posts-card", "windows-card", "jobs-alert", "pipe-alert", "pipe-late"]);
      else everything();
    }, POLL_MS);
  }

  document.addEventListener("DOMContentLoaded", start);
})();
