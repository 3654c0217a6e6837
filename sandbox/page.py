"""The page a person sees: what the sandbox received, and what it will do next."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.onlysocial.settings import OUTCOMES

if TYPE_CHECKING:
    from sandbox.engine import Engine

FRAME = Path(__file__).with_name("page.html")
_Rows = list[dict[str, Any]]
SHOWN_VIDEOS = 50
SHOWN_POSTS = 50
SHOWN_REQUESTS = 25
HUES = {
    "published": "good", "ready": "good", "encoding_error": "bad", "rejected": "bad", "waiting": "plain",
    "processing": "wait",
}  # fmt: skip
POST_HUES = {
    "published": "good", "failed": "bad", "needs_approval": "wait", "scheduled": "wait", "publishing": "wait",
}  # fmt: skip
PRESETS: dict[str, Mapping[str, Any]] = {
    "503, the platform's own error": {"status": 503},
    "502, an HTML page": {"status": 502, "body": "<html><body><h1>502 Bad Gateway</h1></body></html>"},
    "429, try again in 30 s": {"status": 429, "headers": {"Retry-After": "30"}},
    "Reply after 10 s": {"delay": 10},
    "Connection reset before anything is done": {"drop_before": True},
    "Done, but the connection is reset before the reply": {"apply_then_drop": True},
    "Connection reset after 1 MB of the body": {"drop_after_bytes": 1_000_000},
    "No reading after 1 MB of the body, for 30 s": {"stall_after_bytes": 1_000_000, "seconds": 30},
    "Done, but the reply is cut short": {"truncate_reply": 20},
    "Upload session or uploaded file expired": {"expire_session": True},
}


def mount(app: web.Application, engine: Engine) -> None:
    page = Page(engine)
    app.router.add_get("/", page.show)
    app.router.add_get("/_sandbox/view", page.view)


class Page:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._frame = FRAME.read_text(encoding="utf-8")

    async def show(self, request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        settings = self._engine.settings()
        parts = {
            **self._sections(),
            "nonce": nonce,
            "platforms": escape(", ".join(platform.title for platform in self._engine.platforms)),
            "routes": "".join(f"<option>{escape(name)}</option>" for name in self._engine.plan.routes),
            "presets": "".join(_preset(label, action) for label, action in PRESETS.items()),
            "first_preset": escape(json.dumps(next(iter(PRESETS.values())))),
            "byte_rate": _plain(settings["byte_rate"]),
            "encode_seconds": _plain(settings["encode_seconds"]),
            "delay_ms": _plain(settings["onlysocial_delay_ms"]),
            "publish_seconds": _plain(settings["onlysocial_publish_seconds"]),
            "outcomes": "".join(
                f"<option{' selected' if each == settings['onlysocial_outcome'] else ''}>{each}</option>"
                for each in OUTCOMES
            ),
            "needs_approval": " checked" if settings["onlysocial_needs_approval"] else "",
        }
        pieces = self._frame.split("{{")
        text = pieces[0]
        for piece in pieces[1:]:
            name, _, rest = piece.partition("}}")
            text += parts[name] + rest
        policy = (
            f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'nonce-{nonce}';"
            " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def view(self, request: web.Request) -> web.Response:
        return web.json_response(self._sections(), headers={"Cache-Control": "no-store"})

    def _sections(self) -> dict[str, str]:
        engine = self._engine
        videos, uploads = engine.rows("videos"), engine.rows("uploads")
        posts, media = engine.rows("posts"), engine.rows("media")
        return {
            "summary": _summary(engine, videos, posts, media),
            "uploads": _uploads([upload for upload in uploads if upload["state"] == "uploading"]),
            "videos": _videos(videos),
            "posts": _posts(posts),
            "faults": _faults([rule.as_json() for rule in engine.plan.active()]),
            "requests": _requests(engine.journal.shown(limit=SHOWN_REQUESTS)[::-1]),
        }


def _summary(engine: Engine, videos: _Rows, posts: _Rows, media: _Rows) -> str:
    settings = engine.settings()
    published = sum(video["state"] == "published" for video in videos)
    out = sum(post["status"] == "published" for post in posts)
    rate = settings["byte_rate"]
    tiles = [
        (str(len(videos)), "videos"),
        (str(published), "published"),
        (f"{out} of {len(posts)}", "posts published"),
        (size_text(sum(each["size"] for each in (*videos, *media))), "received"),
        (str(sum(engine.journal.counters.values())), "requests"),
        (f"{size_text(rate)}/s" if rate else "unlimited", "upload rate"),
        (f"{_plain(settings['encode_seconds'])} s", "to encode"),
    ]
    return "".join(f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>" for value, label in tiles)


def _uploads(uploads: list[dict[str, Any]]) -> str:
    if not uploads:
        return '<p class="empty">No upload is running.</p>'
    return _list(
        f"<div><b>{escape(upload['filename'] or 'receiving…')}</b>"
        f' <span class="soft">{size_text(upload["received"])} of {size_text(upload["size"])}'
        f" · {escape(upload['profile_id'])}</span>{_bar(upload['received'], upload['size'])}</div>"
        for upload in uploads
    )


def _videos(videos: list[dict[str, Any]]) -> str:
    if not videos:
        return '<p class="empty">Nothing received yet. Videos appear here when they are created.</p>'
    newest = videos[: -SHOWN_VIDEOS - 1 : -1]
    rows = "".join(_video(video) for video in newest)
    left = len(videos) - len(newest)
    more = f'<p class="empty">and {left} older</p>' if left else ""
    head = "<th>Title</th><th>State</th><th>Size</th><th>Length</th><th>Created</th>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _video(video: dict[str, Any]) -> str:
    tags = "".join(f'<span class="tag">#{escape(tag)}</span>' for tag in video["tags"])
    state = video["state"]
    in_work = state in ("waiting", "processing")
    progress = f' <span class="soft">{video["progress"]} %</span>' if in_work else ""
    bar = _bar(video["progress"], 100) if in_work else ""
    chip = _chip(state.replace("_", " "), HUES.get(state, "plain"))
    about = f"{video['id']} · {video['dialect']} · {video['visibility']}"
    return (
        f'<tr><td class="wide"><b>{escape(video["title"])}</b><br>'
        f'<span class="soft">{escape(about)}</span> {tags}</td>'
        f'<td class="state">{chip}{progress}{bar}</td>'
        f'<td class="number">{size_text(video["size"])}</td>'
        f'<td class="number">{_length(video["duration_seconds"])}</td>'
        f'<td class="number">{_time(video["created_at"])}</td></tr>'
    )


def _posts(posts: _Rows) -> str:
    if not posts:
        return '<p class="empty">No post was made yet.</p>'
    newest = posts[: -SHOWN_POSTS - 1 : -1]
    left = len(posts) - len(newest)
    more = f'<p class="empty">and {left} older</p>' if left else ""
    head = "<th>Post</th><th>State</th><th>Accounts</th><th>Made</th><th>Asked to publish</th>"
    rows = "".join(map(_post, newest))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _post(post: dict[str, Any]) -> str:
    media = ", ".join(map(str, post["media_ids"])) or "none"
    status = post["status"]
    button = (
        f' <button class="quiet" data-post="posts/{escape(post["uuid"])}/approve">Approve</button>'
        if status == "needs_approval"
        else ""
    )
    accounts = "".join(
        f'<span class="tag">{escape(account["provider"])}: {escape(account["name"])}</span>'
        for account in post["accounts"]
    )
    asked = " ".join(_instant(each) for each in post["publish_received_at"]) or "–"
    return (
        f'<tr><td class="wide"><b>{escape(post["caption"] or "no caption")}</b><br>'
        f'<span class="soft">{escape(post["uuid"])} · media {escape(media)}</span></td>'
        f'<td class="state">{_chip(status.replace("_", " "), POST_HUES.get(status, "plain"))}{button}</td>'
        f"<td>{accounts}</td>"
        f'<td class="number">{_instant(post["create_received_at"])}</td><td class="number">{asked}</td></tr>'
    )


def _faults(faults: list[dict[str, Any]]) -> str:
    if not faults:
        return '<p class="empty">No fault is planned: everything works.</p>'
    return _list(_fault(fault) for fault in faults)


def _fault(fault: dict[str, Any]) -> str:
    planned = ("id", "route", "times", "after", "seen", "fired", "dialect", "platform")
    action = json.dumps({name: value for name, value in fault.items() if name not in planned})
    times = "always" if fault["times"] is None else f"{fault['fired']} of {fault['times']} done"
    skipped = f", after the first {fault['after']}" if fault["after"] else ""
    return (
        f'<div><b>{escape(fault["route"])}</b> <span class="soft">{times}{skipped}</span>'
        f'<div class="mono">{escape(action)}</div></div>'
        f'<button class="quiet" data-delete="faults/{fault["id"]}">Remove</button>'
    )


def _requests(entries: list[dict[str, Any]]) -> str:
    if not entries:
        return '<p class="empty">No request yet.</p>'
    return f"<table><tbody>{''.join(_request(entry) for entry in entries)}</tbody></table>"


def _request(entry: dict[str, Any]) -> str:
    status = entry["status"]
    hue = "plain" if status is None else "good" if status < 400 else "bad"
    shown = entry["outcome"] if status is None else str(status)
    hue = "bad" if entry["outcome"] in ("reset", "gone") else "wait" if shown == "open" else hue
    fault = f" {_chip('fault', 'wait')}" if entry["fault"] else ""
    request_line = escape(f"{entry['method']} {entry['path']}")
    return (
        f'<tr><td class="wide"><span class="mono">{request_line}</span></td>'
        f"<td>{_chip(shown, hue)}{fault}</td>"
        f'<td class="soft">{escape(entry["route"])} · {escape(entry["dialect"])}</td>'
        f'<td class="number soft">{size_text(entry["bytes"])}</td>'
        f'<td class="number soft">{_time(entry["at"])}</td></tr>'
    )


def _list(items: Iterable[str]) -> str:
    return f'<ul class="rows">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def _chip(text: str, hue: str) -> str:
    return f'<span class="chip {hue}">{escape(text)}</span>'


def _bar(done: float, total: float) -> str:
    percent = min(100 * done / total, 100) if total else 0
    return f'<div class="bar"><i style="width:{percent:.1f}%"></i></div>'


def _preset(label: str, action: Mapping[str, Any]) -> str:
    return f'<option value="{escape(json.dumps(action))}">{escape(label)}</option>'


def size_text(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit != "MB" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def _length(seconds: float) -> str:
    if not seconds:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _time(moment: str) -> str:
    return f'<time datetime="{escape(moment)}">{escape(moment[11:19])} UTC</time>'


def _instant(moment: float) -> str:
    """A time of day to the millisecond."""
    shown = datetime.fromtimestamp(moment, UTC)
    return f'<time datetime="{shown.isoformat()}">{shown:%H:%M:%S}.{shown.microsecond // 1000:03}</time>'


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
