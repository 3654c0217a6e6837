"""How a film plays in a real browser: what is buffered, which picture is shown, what hls.js complains about."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

WAIT = 60_000
# Notes, from here on: the picture that is shown, how often the player ran dry, and every complaint of hls.js.
WATCH = """() => {
  const video = document.querySelector("video");
  const seen = window.seen = { frame: -1, dry: 0, complaints: [] };
  const note = (_, frame) => { seen.frame = frame.mediaTime; video.requestVideoFrameCallback(note); };
  video.requestVideoFrameCallback(note);
  video.addEventListener("waiting", () => { seen.dry += video.seeking ? 0 : 1; });
  hls().on(Hls.Events.ERROR, (_, data) => seen.complaints.push(data.details));
}"""
WHOLE = """([seconds]) => {
  const { buffered } = document.querySelector("video");
  return buffered.length === 1 && buffered.start(0) < 0.05 && buffered.end(0) > seconds - 0.1;
}"""
RANGES = """() => {
  const { buffered } = document.querySelector("video");
  return [...Array(buffered.length).keys()].map((each) => [buffered.start(each), buffered.end(each)]);
}"""


@dataclass(frozen=True)
class Playback:
    """The one film of a page. `player`: the JavaScript that gives its hls.js."""

    page: Page
    player: str = 'slotcastPlayers.of(document.querySelector("[data-player]"))'

    def watch(self) -> None:
        self.page.evaluate(f"() => {{ window.hls = () => {self.player}; }}")
        self.page.evaluate(WATCH)

    def seek(self, seconds: float) -> None:
        self.page.evaluate(
            "(at) => { const video = document.querySelector('video'); video.pause(); video.currentTime = at; }",
            seconds,
        )

    def wait_until_all_is_there(self, seconds: float) -> None:
        """One range without a hole, from the first picture to the last. Raises what hls.js has instead."""
        try:
            self.page.wait_for_function(WHOLE, arg=[seconds], timeout=WAIT)
        except Exception as error:
            raise AssertionError(f"buffered {self.page.evaluate(RANGES)} of {seconds} s") from error

    def wait_for_picture(self, number: int, rate: float) -> None:
        """Seek into the middle of one picture: it is there, and no other is shown in its place."""
        at = (number + 0.5) / rate
        self.seek(at)
        self.page.wait_for_function(
            "([at, length]) => { const video = document.querySelector('video');"
            "return !video.seeking && seen.frame <= at && at < seen.frame + length; }",
            arg=[at, 1 / rate],
            timeout=WAIT,
        )

    def play_through(self, start: float, end: float) -> None:
        """Play from `start` until `end` is passed, without running dry and without a complaint."""
        self.seek(start)
        self.page.wait_for_function("() => !document.querySelector('video').seeking", timeout=WAIT)
        self.page.evaluate(
            "() => { const video = document.querySelector('video'); video.muted = true; video.loop = false;"
            "Object.assign(seen, { dry: 0, complaints: [] }); return video.play(); }"
        )
        self.page.wait_for_function(
            "(end) => document.querySelector('video').currentTime >= end", arg=end, timeout=WAIT
        )
        assert self.page.evaluate("() => [seen.dry, seen.complaints]") == [0, []]
