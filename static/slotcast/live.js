/*
 * Live events: one WebSocket that comes back by itself and misses nothing.
 *
 *   const live = Slotcast.live({
 *     topics: ["uploads", "jobs"],
 *     after: 1234,                       // optional: the stream's position when the page was rendered
 *     onEvent(envelope) {},              // {id, type, data}, each once
 *     onReset() {},                      // too much was missed: load the page's state anew
 *     onState(state) {},                 // "live", "reconnecting" or "offline"
 *   });
 *   live.close();
 */
(function () {
  "use strict";

  const PATH = "/ws/live/";
  const FIRST_PAUSE = 250;
  const LONGEST_PAUSE = 15000;
  const CONNECT_TIMEOUT = 10000;
  const REMEMBERED = 2000;
  // A page hidden for so long may sit on a connection that died unnoticed.
  const DOUBTFUL_AFTER = 30000;
  const BAD_REQUEST = 4400;
  const UNAUTHENTICATED = 4401;
  const FORBIDDEN = 4403;
  const TOO_SLOW = 4408;

  class Live {
    constructor(options) {
      this.options = options;
      this.last = Number.isInteger(options.after) ? options.after : null;
      this.seen = new Set();
      this.failures = 0;
      this.state = null;
      this.socket = null;
      this.timer = null;
      this.hiddenAt = null;
      this.closed = false;
      this.wake = (event) => this.look(event.type === "online");
      this.sleep = () => this.tell("offline");
      window.addEventListener("online", this.wake);
      window.addEventListener("offline", this.sleep);
      window.addEventListener("pageshow", this.wake);
      document.addEventListener("visibilitychange", this.wake);
      this.connect();
    }

    url() {
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      const query = new URLSearchParams({ topics: (this.options.topics || []).join(",") });
      if (this.last !== null) query.set("after", String(this.last));
      return `${scheme}//${location.host}${PATH}?${query}`;
    }

    connect() {
      clearTimeout(this.timer);
      this.timer = null;
      const socket = new WebSocket(this.url());
      this.socket = socket;
      const overdue = setTimeout(() => socket.close(), CONNECT_TIMEOUT);
      socket.onmessage = (message) => {
        clearTimeout(overdue);
        if (socket === this.socket) this.receive(JSON.parse(message.data));
      };
      socket.onclose = (event) => {
        clearTimeout(overdue);
        if (socket === this.socket) this.lost(event.code);
      };
    }

    receive(envelope) {
      if (envelope.type === "hello") {
        this.failures = 0;
        this.last = envelope.id;
        this.tell("live");
      } else if (envelope.type === "reset") {
        this.seen.clear();
        if (this.options.onReset) this.options.onReset(envelope);
        else this.hand(envelope);
      } else if (!this.seen.has(envelope.id)) {
        this.remember(envelope.id);
        this.hand(envelope);
      }
    }

    remember(id) {
      this.last = Math.max(this.last || 0, id);
      this.seen.add(id);
      // A Set keeps the order of insertion: the first is the oldest.
      if (this.seen.size > REMEMBERED) this.seen.delete(this.seen.values().next().value);
    }

    hand(envelope) {
      try {
        this.options.onEvent(envelope);
      } catch (error) {
        // One event that a page cannot show must not end the stream.
        console.error(error);
      }
    }

    lost(code) {
      this.socket = null;
      if (this.closed) return;
      if (code === UNAUTHENTICATED || code === FORBIDDEN) {
        this.close();
        this.tell("offline");
        this.login();
      } else if (code === BAD_REQUEST) {
        this.close();
        this.tell("offline");
      } else {
        this.tell(navigator.onLine === false ? "offline" : "reconnecting");
        this.timer = setTimeout(() => this.connect(), this.pause(code));
      }
    }

    pause(code) {
      if (code === TOO_SLOW && this.failures === 0) return 0;
      const longest = Math.min(FIRST_PAUSE * 2 ** this.failures, LONGEST_PAUSE);
      this.failures += 1;
      // Between half and all of it, so that a restarted server is not met by every page at once.
      return longest / 2 + (Math.random() * longest) / 2;
    }

    look(networkChanged) {
      if (document.visibilityState === "hidden") {
        this.hiddenAt = this.hiddenAt || Date.now();
        return;
      }
      const hidden = this.hiddenAt === null ? 0 : Date.now() - this.hiddenAt;
      this.hiddenAt = null;
      if (this.timer !== null || networkChanged || hidden > DOUBTFUL_AFTER) this.reconnectNow();
    }

    reconnectNow() {
      const old = this.socket;
      this.failures = 0;
      this.tell("reconnecting");
      this.connect();
      if (old) old.close();
    }

    login() {
      const next = encodeURIComponent(location.pathname + location.search);
      location.assign(`${this.options.loginUrl || "/admin/login/"}?next=${next}`);
    }

    tell(state) {
      if (state === this.state) return;
      this.state = state;
      if (this.options.onState) this.options.onState(state);
    }

    close() {
      this.closed = true;
      clearTimeout(this.timer);
      window.removeEventListener("online", this.wake);
      window.removeEventListener("offline", this.sleep);
      window.removeEventListener("pageshow", this.wake);
      document.removeEventListener("visibilitychange", this.wake);
      if (this.socket) this.socket.close();
      this.socket = null;
    }
  }

  window.Slotcast = Object.assign(window.Slotcast || {}, { live: (options) => new Live(options) });
})();
