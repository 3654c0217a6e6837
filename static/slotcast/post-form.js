/* The form that makes posts: its plan is looked up while one types, files go up ahead of it. Saving is a plain submit. */
(function () {
  "use strict";

  const SHORT = 350;
  let timer = null;
  let asked = 0;

  function theForm() {
    return document.getElementById("post-form");
  }

  /* ------------------------------------------------ the plan, as it stands */

  async function look(extra) {
    const form = theForm();
    if (!form) return;
    clearTimeout(timer);
    const values = new FormData(form);
    values.delete("files");
    for (const [name, value] of extra || [["do", "look"]]) values.append(name, value);
    const number = ++asked;
    const response = await fetch(form.getAttribute("action"), { method: "POST", body: values, headers: { "HX-Request": "true", "HX-Current-URL": location.href } }).catch(() => null);
    if (!response || !response.ok) {
      if (extra) Slotcast.toast("The server cannot be reached. Nothing was lost; try again in a moment.", "error");
      return;
    }
    const html = await response.text();
    if (number !== asked && !extra) return;
    const fresh = document.createElement("div");
    fresh.id = "sc-post-form";
    fresh.innerHTML = html;
    Slotcast.morph(document.getElementById("sc-post-form"), fresh);
    count();
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(() => look(), SHORT);
  }

  document.addEventListener("input", (event) => {
    if (event.target.form === theForm() && event.target.name && event.target.type !== "file" && event.target.name !== "url") soon();
  });
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (event.target !== theForm() || !button || button.value === "save") return;
    event.preventDefault();
    if (button.name === "do" && button.value === "add-url") {
      const typed = document.getElementById("post-url").value;
      look([["do", "add-url"]]).then(() => {
        const url = document.getElementById("post-url");
        if (url && url.value === typed && !document.getElementById("wrong-url")) url.value = "";
      });
    } else if (button.name === "do") look();
    else look([["do", "look"], [button.name, button.value]]);
  });
  // Enter in the address adds it, elsewhere it looks again.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.id !== "post-url") return;
    event.preventDefault();
    theForm().querySelector('[value="add-url"]').click();
  });

  /* ------------------------------------------------ captions */

  function count() {
    for (const counter of document.querySelectorAll("[data-counter-of]")) {
      const field = document.getElementById(counter.dataset.counterOf);
      if (!field) continue;
      const most = Number(field.dataset.counted);
      // As the server counts: one for each character, also for those outside of the basic plane.
      const length = [...field.value].length;
      counter.textContent = length || field.id === "caption" ? `${length.toLocaleString("en")} of ${most.toLocaleString("en")}` : "";
      counter.toggleAttribute("data-over", length > most);
    }
  }

  document.addEventListener("input", (event) => {
    if (event.target.dataset.counted) count();
  });

  /* ------------------------------------------------ the library */

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.id !== "library-search") return;
    event.preventDefault();
    const hit = document.querySelector("#library-hits .sc-hit:not([disabled])");
    if (hit) hit.click();
  });

  /* ------------------------------------------------ files */

  function row(name) {
    const item = document.createElement("li");
    const label = document.createElement("span");
    const bar = document.createElement("progress");
    label.textContent = name;
    bar.max = 100;
    bar.className = "sc-bar";
    item.append(label, bar);
    document.getElementById("file-progress").append(item);
    return { item, label, bar };
  }

  function refused({ item, label, bar }, sentence) {
    bar.remove();
    item.className = "sc-wrong";
    item.setAttribute("role", "alert");
    label.textContent = sentence;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "sc-toast-close";
    close.textContent = "×";
    close.setAttribute("aria-label", "Dismiss");
    close.addEventListener("click", () => item.remove());
    item.append(close);
  }

  function send(file) {
    const form = theForm();
    const shown = row(file.name);
    if (file.size > Number(form.dataset.mostBytes)) {
      refused(shown, `${file.name} is larger than 100 MB, the most OnlySocial takes. Make it smaller.`);
      return Promise.resolve();
    }
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      request.open("POST", form.dataset.files);
      request.setRequestHeader("X-CSRFToken", form.querySelector('[name="csrfmiddlewaretoken"]').value);
      request.upload.onprogress = (event) => {
        shown.bar.value = (event.loaded * 100) / event.total;
      };
      request.onerror = () => {
        refused(shown, `${file.name} did not arrive: the server cannot be reached. Choose it again.`);
        done();
      };
      request.onload = () => {
        let answer = {};
        try {
          answer = JSON.parse(request.responseText);
        } catch {
          answer.error = `${file.name}: the server answered ${request.status}. Choose it again.`;
        }
        if (answer.tokens) {
          shown.item.remove();
          look([["do", "look"], ...answer.tokens.map((token) => ["video", token])]).then(done);
        } else {
          refused(shown, answer.error);
          done();
        }
      };
      const body = new FormData();
      body.append("files", file);
      request.send(body);
    });
  }

  async function take(files) {
    // One after the other: a slow line is not shared by ten of them.
    for (const file of files) await send(file);
  }

  // Before it reaches the field: the admin's script expects a text field beside every file field.
  document.addEventListener(
    "change",
    (event) => {
      if (event.target.id !== "post-files") return;
      event.stopImmediatePropagation();
      const files = [...event.target.files];
      event.target.value = "";
      take(files);
    },
    true
  );
  for (const name of ["dragover", "dragleave", "drop"])
    document.addEventListener(name, (event) => {
      const box = event.target.closest && event.target.closest("#file-drop");
      if (!box || ![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      box.toggleAttribute("data-over", name === "dragover");
      if (name === "drop") take([...event.dataTransfer.files]);
    });

  document.addEventListener("DOMContentLoaded", count);
})();
