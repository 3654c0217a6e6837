"""The page on which posts are made, and the one on which a post is edited."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from schedules.boards import whole
from schedules.pages import forbidden, framed, is_partial, partial, staff, who
from schedules.posts import deciding, scheduling
from schedules.posts.models import PostType
from schedules.posts.page import dry_run, zones
from schedules.posts.page.cards import AccountCard
from schedules.posts.page.choices import day_of
from schedules.posts.page.details import Details
from schedules.posts.page.form import PostForm
from schedules.posts.page.form_videos import of_file
from schedules.posts.page.hands import MAY_ADD, MAY_POST, found, name_of
from schedules.posts.scheduling import Refused
from schedules.posts.sources import SUFFIXES, BadSource
from schedules.posts.uploads import KeepingHandler, KeptFile
from uploader.catalog import Episode, Film
from uploader.platforms.onlysocial import MEDIA_BYTES
from uploader.platforms.onlysocial.records import CAPTION_CHARACTERS
from uploader.social_accounts import SocialAccount

HITS = 12
TOO_LARGE = "{} is larger than 100 MB, the most OnlySocial takes. Make it smaller."


# -------------------------------------------------------------------- making posts


@csrf_exempt
def new(request: HttpRequest) -> HttpResponse:
    """GET: the form. POST: the form as it stands now (`do`: a look, a video more or less), or save it."""
    # Before anything reads the body, the check of the form's token too.
    request.upload_handlers = [handler := KeepingHandler(request)]
    return guarded_new(request, handler)


@staff
@csrf_protect
def guarded_new(request: HttpRequest, handler: KeepingHandler) -> HttpResponse:
    if not request.user.has_perm(MAY_ADD):
        return forbidden(request)
    now, viewer = timezone.now(), zones.of_viewer(request)
    if request.method != "POST":
        form = PostForm(first_values(request.GET), viewer, now)
        return shown(request, form)
    form = PostForm(request.POST, viewer, now, is_strict=request.POST.get("do") == "save")
    files = [file for file in request.FILES.getlist("files") if isinstance(file, KeptFile)]
    form.take_videos(files, also=request.POST.getlist("add"))
    for name in handler.too_large:
        form.wrong("videos", TOO_LARGE.format(name[:100]))
    form.check()
    # Looked at once: a moment that cannot be is noticed while the plan is made.
    has_plan = bool(form.plan)
    if not form.is_strict:
        return shown(request, form)
    form.look_at_files()
    if form.errors or not has_plan:
        return shown(request, form, status=422)
    try:
        posts = form.save(who=who(request))
    except scheduling.Duplicate as error:
        ids = scheduling.ids_of(error.posts)
        messages.warning(
            request, f"This form was saved already: post {ids}. Nothing was saved a second time."
        )
        return redirect("posts")
    except Refused as error:
        form.refuse(error)
        return shown(request, form, status=422)
    count = f"{len(posts)} post{'s' if len(posts) != 1 else ''}"
    messages.success(request, f"{count} saved. Nothing is on OnlySocial before its upload begins.")
    first = min((post.scheduled_for for post in posts if post.scheduled_for), default=None)
    on = f"?on={first.astimezone(viewer).date()}" if first else "#part-tray"
    return HttpResponseRedirect(reverse("posts") + on)


def first_values(query: QueryDict) -> QueryDict:
    """The form as it opens: with the day, hour and account of the place that was pressed."""
    data = QueryDict(mutable=True)
    if on := day_of(query.get("on", "")):
        hour = whole(query.get("hour", "")) if query.get("hour") else 12
        data["at"] = f"{on}T{min(hour, 23):02}:00"
    if account := whole(query.get("account", "")):
        data["account"] = str(account)
    return data


def shown(request: HttpRequest, form: PostForm, *, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form, "zones": zones.names(), "suffixes": ",".join(SUFFIXES), "most_bytes": MEDIA_BYTES,
        "hits": hits(form.query) if form.query else [],
        "has_library": Episode.objects.exists() or Film.objects.exists(),
    }  # fmt: skip
    if is_partial(request):
        return partial(request, "schedules/posts/_form.html", context)
    page = framed(request, "schedules/post_new.html", "New posts", context)
    page.status_code = status
    return page


@csrf_exempt
def files(request: HttpRequest) -> HttpResponse:
    """One file of the form, sent ahead of it: answers the token by which the form names it."""
    request.upload_handlers = [handler := KeepingHandler(request)]
    return guarded_files(request, handler)


@require_POST
@staff
@csrf_protect
def guarded_files(request: HttpRequest, handler: KeepingHandler) -> HttpResponse:
    if not request.user.has_perm(MAY_ADD):
        return forbidden(request)
    kept = [file for file in request.FILES.getlist("files") if isinstance(file, KeptFile)]
    if handler.too_large:
        return JsonResponse({"error": TOO_LARGE.format(handler.too_large[0][:100])}, status=413)
    if not kept:
        return JsonResponse({"error": "No file arrived. Choose it again."}, status=400)
    try:
        return JsonResponse({"tokens": [of_file(file) for file in kept]})
    except BadSource as error:
        handler.forget()
        return JsonResponse({"error": str(error)}, status=error.status)


def hits(text: str) -> list[dict[str, Any]]:
    """Films and episodes whose title or path contains the text. Ready to be shown: path, title, size, why not."""
    films = Film.objects.filter(Q(title__icontains=text) | Q(path__icontains=text))[:HITS]
    episodes = Episode.objects.with_names().filter(
        Q(series__title__icontains=text) | Q(title__icontains=text) | Q(path__icontains=text)
    )[:HITS]
    rows = [(film.path, film.title, film.size_bytes) for film in films]
    rows += [
        (each.path, f"{each}{f' · {each.title}' if each.title else ''}", each.size_bytes) for each in episodes
    ]
    return [
        {"path": path, "title": title, "size": size, "why_not": too_big(path, size)}
        for path, title, size in rows[:HITS]
    ]


def too_big(path: str, size: int | None) -> str:
    if not path.lower().endswith(SUFFIXES):
        return "not MP4"
    return "over 100 MB" if size and size > MEDIA_BYTES else ""


# -------------------------------------------------------------------- editing one


@staff
def edit(request: HttpRequest, post_id: int) -> HttpResponse:
    """Caption, type and account of a post that waits. GET: the form. POST: save it."""
    if not request.user.has_perm(MAY_POST):
        return forbidden(request)
    row, now = found(post_id), timezone.now()
    errors: dict[str, str] = {}
    typed = {"caption": row.caption, "post_type": row.post_type, "account": str(row.account_id)}
    if request.method == "POST":
        typed = {name: request.POST.get(name, "").replace("\0", "") for name in typed}
        typed["caption"] = typed["caption"].replace("\r\n", "\n")
        errors = save_edit(request, typed, post_id)
        if not errors:
            messages.success(request, f"{name_of(found(post_id))} is saved.")
            return redirect("post", post_id)
    context = {
        "details": Details(row, zone=zones.of_viewer(request), now=now), "typed": typed, "errors": errors,
        "accounts": [
            AccountCard(account)
            for account in SocialAccount.objects.filter(
                Q(gone_at=None) | Q(pk=row.account_id), destination=row.account.destination_id
            ).order_by("name")
        ],
        "types": PostType.choices, "caption_limit": CAPTION_CHARACTERS,
    }  # fmt: skip
    page = framed(request, "schedules/post_edit.html", "Edit post", context)
    page.status_code = 422 if errors else 200
    return page


def save_edit(request: HttpRequest, typed: dict[str, str], post_id: int) -> dict[str, str]:
    """What was refused, by field; nothing: it is saved."""
    row = found(post_id)
    account = SocialAccount.objects.filter(pk=whole(typed["account"])).first()
    if account is None:
        return {"account": "Choose an account."}
    if account.pk != row.account_id and account.why_not:
        return {"account": account.why_not}
    if len(typed["caption"]) > CAPTION_CHARACTERS:
        return {
            "caption": f"{len(typed['caption']):,} characters are too many; at most {CAPTION_CHARACTERS:,}."
        }
    try:
        deciding.refuse_combination(account, typed["post_type"])
    except deciding.Refused as error:
        return {"post_type": dry_run.capital(str(error))}
    try:
        deciding.edit(
            row, who=who(request), now=timezone.now(), caption=typed["caption"],
            post_type=typed["post_type"], account=account,
        )  # fmt: skip
    except deciding.Refused as error:
        return {"form": dry_run.capital(str(error))}
    return {}
