/* Plays a package in the page: hls.js where the browser does not play HLS itself. */
(() => {
  "use strict";
  if (window.slotcastPlayers) {
    window.slotcastPlayers.scan(document);
    return;
  }

  let library = null;
  const open = new Map();

  function load(src) {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = src;
      script.onload = () => resolve(window.Hls);
      script.onerror = () => reject(new Error("The player could not be loaded. Reload the page."));
      document.head.append(script);
    });
    return library;
  }

  function say(box, text, isWrong = false) {
    const said = box.querySelector("[data-said]");
    said.textContent = text;
    said.classList.toggle("is-wrong", isWrong);
  }

  function fill(select, names, first) {
    select.replaceChildren(...[first, ...names].filter((name) => name !== null).map((name, index) => {
      const option = document.createElement("option");
      option.value = String(first === null ? index : index - 1);
      option.textContent = name;
      return option;
    }));
  }

  function describe(level) {
    const rate = level.bitrate ? ` · ${(level.bitrate / 1e6).toFixed(1)} Mb/s` : "";
    return level.height ? `${level.height}p${rate}` : `Level${rate}`;
  }

  const FILES = {
    manifest: "its master playlist", level: "a playlist of it", frag: "a segment of it",
    audioTrack: "a sound track of it", subtitleTrack: "a subtitle of it",
  };

  /* Why it cannot be played, in words: what is missing, or what the server says of the storage. */
  async function reason(data) {
    const file = FILES[data.details.replace(/(Load|Parsing).*$/, "")];
    const url = data.url || data.response?.url || data.frag?.url;
    if (data.type !== "networkError" || !file || !url) return `the browser refused it (${data.details}).`;
    try {
      const answer = await fetch(url);
      if (answer.status === 404) return `${file} is not in the storage.`;
      const isSaid = !answer.ok && (answer.headers.get("Content-Type") || "").startsWith("text/plain");
      return isSaid ? await answer.text() : `${file} did not come (${answer.status}).`;
    } catch {
      return "the server cannot be reached.";
    }
  }

  function connect(box, Hls) {
    const video = box.querySelector("video");
    const [levels, subtitles, tracks] = ["levels", "subtitles", "tracks"].map((name) => box.querySelector(`[data-${name}]`));
    if (!Hls.isSupported()) {
      if (!video.canPlayType("application/vnd.apple.mpegurl")) {
        say(box, "This browser cannot play HLS.", true);
        return;
      }
      video.src = box.dataset.source;
      say(box, "Played by the browser itself.");
      return;
    }
    // Without a worker of its own: the page's policy allows no code from elsewhere.
    const hls = new Hls({ enableWorker: false, capLevelToPlayerSize: false });
    let recovered = 0;
    open.set(box, hls);
    hls.on(Hls.Events.MANIFEST_PARSED, (_, data) => {
      fill(levels, hls.levels.map(describe), "Automatic");
      say(box, `${data.levels.length} qualities. Ready.`);
    });
    hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, () => {
      fill(subtitles, hls.subtitleTracks.map((track) => track.name), "Off");
      subtitles.value = String(hls.subtitleTrack);
    });
    hls.on(Hls.Events.SUBTITLE_TRACK_SWITCH, () => { subtitles.value = String(hls.subtitleTrack); });
    hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => {
      fill(tracks, hls.audioTracks.map((track) => track.name), null);
      box.querySelector("[data-sound]").hidden = hls.audioTracks.length < 2;
    });
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, data) => {
      box.dataset.level = String(data.level);
      say(box, `Showing ${describe(hls.levels[data.level])}`);
    });
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (!data.fatal) return;
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR && recovered++ < 2) {
        hls.recoverMediaError();
        return;
      }
      reason(data).then((text) => say(box, `It cannot be played: ${text} Reload the page to try again.`, true));
    });
    levels.addEventListener("change", () => { hls.currentLevel = Number(levels.value); });
    subtitles.addEventListener("change", () => {
      hls.subtitleTrack = Number(subtitles.value);
      hls.subtitleDisplay = hls.subtitleTrack >= 0;
    });
    tracks.addEventListener("change", () => { hls.audioTrack = Number(tracks.value); });
    hls.loadSource(box.dataset.source);
    hls.attachMedia(video);
  }

  function start(box) {
    if (open.has(box)) return;
    open.set(box, null);
    load(box.dataset.library).then((Hls) => connect(box, Hls), (error) => say(box, error.message, true));
  }

  function scan(root) {
    for (const [box, hls] of open) {
      if (box.isConnected) continue;
      hls?.destroy();
      open.delete(box);
    }
    root.querySelectorAll?.("[data-player]").forEach(start);
  }

  window.slotcastPlayers = { scan, of: (box) => open.get(box) };
  document.addEventListener("htmx:afterSettle", () => scan(document));
  scan(document);
})();
