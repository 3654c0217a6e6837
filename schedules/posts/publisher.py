"""One worker's publisher: holds posts under leases, makes their calls at their moments, writes what came of it.

One thread, the caller's, has the database; others make the calls. For every call the intent is committed first,
then the call is made with no transaction open, then its outcome is committed under the lease.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jobs import runner
from jobs.errors import JobError, LeaseLost
from jobs.running import new_token, patiently
from jobs.workers import process_id
from schedules.posts import outcomes
from schedules.posts.calls import (
    FURTHEST_SECONDS,
    Result,
    Step,
    attempt,
    call_for,
    next_step,
    outcome,
    outcome_at,
)
from schedules.posts.models import ScheduledPost, grace, hold_on, lease
from schedules.posts.threads import AHEAD_SECONDS, Crew
from uploader.destinations import Destination
from uploader.platforms.errors import PlatformError
from uploader.platforms.onlysocial import OnlySocial

log = logging.getLogger(__name__)

# Posts are claimed so many at a time, with a pause in which the other workers take their share; fewer while
# there is time, so that each worker gets as many.
CLAIM_AT_ONCE, CLAIM_IN_TIME = 64, 16
IN_TIME = timedelta(seconds=4)
CLAIM_EVERY_SECONDS = 0.2
MOST_IN_HAND = 640
# The point of no return: a post is marked as sent so long before its moment.
MARK_AHEAD = timedelta(seconds=0.4)
# Calls at once: of those that prepare and look, and of those that publish.
CALLERS, SENDERS = 32, 128
# While calls of one moment leave, their outcomes wait so long for their turn.
OUTCOMES_WAIT_SECONDS = 0.5
MOST_OUTCOMES_AT_ONCE = 100
# A publisher gives its worker back after so long; what is due within moments it still does.
SHIFT_SECONDS = 900.0
KEPT_AT_THE_END = timedelta(seconds=2)
FURTHEST = timedelta(seconds=FURTHEST_SECONDS)


@dataclass
class Held:
    """A post in hand, and the call under way for it."""

    post: ScheduledPost
    client: OnlySocial
    step: Step | None = None
    # A thread has taken its publication up and waits for the moment.
    is_taken_up: bool = False
    is_marked: threading.Event = field(default_factory=threading.Event)
    is_sent: bool = False


class Publisher:
    """Publishes until nothing is left to take, or until it is told to stop."""

    def __init__(self, *, stopping: Callable[[], bool] = lambda: False) -> None:
        self.token = new_token(process_id())
        self.taken: set[int] = set()
        self._stopping = stopping
        self._held: dict[int, Held] = {}
        self._clients: dict[tuple[int, datetime], OnlySocial] = {}
        self._results: queue.Queue[tuple[Held, Result]] = queue.Queue()
        self._callers, self._senders = Crew("post-call", CALLERS), Crew("post-send", SENDERS)
        self._claimed_at = self._renewed_at = self._renewed_wall = 0.0
        self._found_none = False
        self._claim_limit = CLAIM_IN_TIME
        self._outcomes_since: float | None = None

    def run(self, *, seconds: float = SHIFT_SECONDS) -> set[int]:
        """Gives the ids of the posts that were taken."""
        until = time.monotonic() + seconds
        try:
            while True:
                is_last = self._stopping() or time.monotonic() > until
                if is_last:
                    self._let_go()
                else:
                    self._claim()
                if not self._held and (is_last or self._found_none):
                    return self.taken
                self._renew()
                self._advance(timezone.now())
                self._settle()
        finally:
            self._callers.end()
            self._senders.end()
            for client in self._clients.values():
                client.close()

    # ---------------------------------------------------------------- taking, holding, letting go

    def _claim(self) -> None:
        mono = time.monotonic()
        passed = mono - self._claimed_at
        if passed < CLAIM_EVERY_SECONDS or len(self._held) >= MOST_IN_HAND:
            return
        self._claimed_at = mono
        wall = time.time()
        # Who comes round late takes more: on a busy machine small claims would not be done in time.
        limit = self._claim_limit if passed < 2 * CLAIM_EVERY_SECONDS else CLAIM_AT_ONCE
        posts = patiently(lambda: ScheduledPost.objects.claim(self.token, now=timezone.now(), limit=limit))
        self._found_none = not posts
        soon = timezone.now() + IN_TIME
        is_in_time = all(post.scheduled_for is not None and post.scheduled_for > soon for post in posts)
        self._claim_limit = CLAIM_IN_TIME if is_in_time else CLAIM_AT_ONCE
        if posts and not self._held:
            self._renewed_at, self._renewed_wall = mono, wall
        if len(posts) == limit:
            runner.enqueue("publish")
        if posts:
            log.info("Found %d posts to publish", len(posts))
        self.taken |= {post.pk for post in posts}
        for post in posts:
            try:
                self._held[post.pk] = Held(post, self._client(post.account.destination))
            except PlatformError as error:
                with contextlib.suppress(LeaseLost):
                    outcomes.put_off(post, error, now=timezone.now())
        self._share_destinations(posts)

    def _share_destinations(self, posts: list[ScheduledPost]) -> None:
        """A hold that one post learns of is known to all: each destination is one object, as last read."""
        newest = {post.account.destination_id: post.account.destination for post in posts}
        for held in self._held.values():
            account = held.post.account
            account.destination = newest.get(account.destination_id, account.destination)

    def _client(self, destination: Destination) -> OnlySocial:
        """One for all posts of a destination, as it was last saved. Raises CredentialsRejected."""
        key = (destination.pk, destination.updated_at)
        if key not in self._clients:
            self._clients[key] = destination.open_onlysocial()
        return self._clients[key]

    def _renew(self) -> None:
        mono, wall = time.monotonic(), time.time()
        if self._held and mono - self._renewed_at > lease().total_seconds() / 4:
            posts = [held.post for held in self._held.values()]
            patiently(lambda: hold_on(posts, self.token, now=timezone.now()))
            self._renewed_at, self._renewed_wall = mono, wall

    def _has_lease(self) -> bool:
        """By both clocks: one may stand still in a sleep, the other may be set."""
        elapsed = max(time.monotonic() - self._renewed_at, abs(time.time() - self._renewed_wall))
        return elapsed < lease().total_seconds()

    def _let_go(self) -> None:
        """Give back whatever has no call under way and is not about to have one."""
        now = timezone.now()
        soon = now if self._stopping() else now + KEPT_AT_THE_END
        for held in list(self._held.values()):
            post = held.post
            waits = held.step is Step.PUBLISH and not held.is_marked.is_set()
            if held.step is not None and not waits:
                continue
            if post.scheduled_for is None or post.scheduled_for > soon or self._stopping():
                self._give_back(held, now=now, take_at=post.take_at)
        runner.enqueue("publish")

    def _drop(self, held: Held) -> None:
        self._held.pop(held.post.pk, None)
        # A thread that waits for the mark finds the post gone.
        held.is_marked.set()

    # ---------------------------------------------------------------- the next calls

    def _advance(self, now: datetime) -> None:
        """Order the next call of every post that has none under way; mark those whose moment is at hand."""
        creating: list[Held] = []
        for held in list(self._held.values()):
            if held.step is not None:
                continue
            post, step = held.post, next_step(held.post)
            if step is None:
                self._give_back(held, now=now, take_at=None)
            elif why := outcomes.obstacle(post, step, now=now):
                self._put_off(held, why, now=now)
            elif step is Step.CREATE:
                creating.append(held)
            elif step is Step.PUBLISH:
                assert post.scheduled_for is not None
                if post.scheduled_for - now > FURTHEST:
                    # The clock was set back.
                    self._give_back(held, now=now, take_at=post.first_take(post.scheduled_for))
                elif post.scheduled_for - now < timedelta(seconds=AHEAD_SECONDS):
                    self._order_publishing(held)
            else:
                self._order(held, step)
        for held in self._mark(creating, create_intended_at=now):
            log.info("Post %d: creating post on OnlySocial. Media IDs: %s", held.post.pk, held.post.media_ids)
            self._order(held, Step.CREATE)
        self._mark_due(now)

    def _give_back(self, held: Held, *, now: datetime, take_at: datetime | None) -> None:
        self._drop(held)
        with contextlib.suppress(LeaseLost):
            patiently(lambda: held.post.put_back(now=now, take_at=take_at))

    def _put_off(self, held: Held, why: JobError, *, now: datetime) -> None:
        self._drop(held)
        with contextlib.suppress(LeaseLost):
            patiently(lambda: outcomes.put_off(held.post, why, now=now))

    def _order(self, held: Held, step: Step) -> None:
        held.step = step
        call = call_for(step, held.post, held.client)
        self._callers.order(lambda: self._results.put((held, outcome(step, call))))

    def _order_publishing(self, held: Held) -> None:
        held.step = Step.PUBLISH
        post, call = held.post, call_for(Step.PUBLISH, held.post, held.client)
        assert post.scheduled_for is not None
        at, latest = post.scheduled_for.timestamp(), (post.scheduled_for + grace()).timestamp()

        def may_send(seconds: float) -> bool:
            """Is the intent committed, and the post still ours?"""
            held.is_sent = (
                held.is_marked.wait(seconds) and self._held.get(post.pk) is held and self._has_lease()
            )
            return held.is_sent

        def warm() -> None:
            held.is_taken_up = True
            _, error = attempt(held.client.warm)
            if error:
                # The call itself will tell.
                log.debug("%s: no connection ahead of its moment: %s", post, error)

        self._senders.order(
            lambda: self._results.put((held, outcome_at(at, call, may_send=may_send, latest=latest))),
            at=at,
            prepare=warm,
        )

    def _mark_due(self, now: datetime) -> None:
        """Commit the intent to publish those whose moment is at hand, all at once or so many at a time."""
        waiting = [held for held in self._held.values() if held.step is Step.PUBLISH]
        due = [
            held
            for held in waiting
            if not held.is_marked.is_set()
            and held.post.scheduled_for
            and held.post.scheduled_for - now < MARK_AHEAD
        ]
        if most := settings.PUBLISH_MARK_AT_ONCE:
            # Of those a thread has taken up: others could use the room up while every thread waits for it.
            room = most - sum(held.is_marked.is_set() for held in waiting)
            due = sorted((held for held in due if held.is_taken_up), key=_moment_of)[: max(room, 0)]
        for held in self._mark(due, publish_intended_at=now):
            held.is_marked.set()

    def _mark(self, chosen: Iterable[Held], **intent: datetime) -> list[Held]:
        """Commit an intent for posts that are still ours; the others are dropped."""
        ids = [held.post.pk for held in chosen]
        if not ids:
            return []

        def write() -> set[int]:
            ours = ScheduledPost.objects.filter(pk__in=ids, leased_by=self.token)
            with transaction.atomic():
                return (
                    set(ids) if ours.update(**intent) == len(ids) else set(ours.values_list("pk", flat=True))
                )

        ours = patiently(write)
        kept = []
        for held in [self._held[pk] for pk in ids]:
            if held.post.pk not in ours:
                self._drop(held)
                continue
            for name, value in intent.items():
                setattr(held.post, name, value)
            kept.append(held)
        return kept

    # ---------------------------------------------------------------- what came of them

    def _settle(self) -> None:
        """Wait a moment for outcomes and commit them, a batch in one transaction."""
        batch = self._arrived()
        if not batch:
            return
        patiently(lambda: self._write(batch))
        for held, result in batch:
            held.step = None
            if result.step is Step.PUBLISH:
                held.is_marked, held.is_taken_up, held.is_sent = threading.Event(), False, False
            if held.post.leased_by != self.token:
                self._held.pop(held.post.pk, None)

    def _arrived(self) -> list[tuple[Held, Result]]:
        if self._is_sending():
            time.sleep(0.005)
            return []
        batch: list[tuple[Held, Result]] = []
        with contextlib.suppress(queue.Empty):
            batch.append(self._results.get(timeout=0.02 if self._held else CLAIM_EVERY_SECONDS))
            while len(batch) < MOST_OUTCOMES_AT_ONCE:
                batch.append(self._results.get_nowait())
        # Of a post that was given back, or taken away and taken anew, there is nothing to write but its draft.
        ours = [(held, result) for held, result in batch if self._held.get(held.post.pk) is held]
        for held, result in batch:
            if self._held.get(held.post.pk) is not held:
                self._lost(held, result)
        return ours

    def _is_sending(self) -> bool:
        """Are calls whose moment has come still to leave? They go first, for a while."""
        now = timezone.now()
        leaves = any(
            held.step is Step.PUBLISH and held.is_marked.is_set() and not held.is_sent and _moment_of(held) <= now
            for held in self._held.values()
        )  # fmt: skip
        if not leaves or self._results.empty():
            self._outcomes_since = None
            return False
        self._outcomes_since = self._outcomes_since or time.monotonic()
        return time.monotonic() - self._outcomes_since < OUTCOMES_WAIT_SECONDS

    def _write(self, batch: list[tuple[Held, Result]]) -> None:
        for held, _ in batch:
            # A transaction that is tried again begins with the posts as they were held.
            held.post.leased_by = self.token
        plain = [(held.post, result) for held, result in batch]
        plain = [pair for pair in plain if outcomes.is_plain_acceptance(*pair)]
        with transaction.atomic():
            is_done = bool(plain) and outcomes.settle_accepted(plain, now=timezone.now())
            for held, result in batch:
                if is_done and outcomes.is_plain_acceptance(held.post, result):
                    continue
                try:
                    outcomes.settle(held.post, result, now=timezone.now())
                except LeaseLost:
                    held.post.leased_by = ""
                    self._lost(held, result)

    def _lost(self, held: Held, result: Result) -> None:
        """Another publisher has the post by now; a draft made meanwhile is recorded first or taken away."""
        if result.step is not Step.CREATE or result.error is not None:
            return
        log.warning("%s was taken away while its draft was made", held.post)
        uuid = str(result.value)
        if not patiently(lambda: outcomes.record_created(held.post, uuid, now=timezone.now())):
            self._callers.order(lambda: outcomes.withdraw(held.client, uuid))


def _moment_of(held: Held) -> datetime:
    assert held.post.scheduled_for is not None
    return held.post.scheduled_for


def publish_posts() -> int:
    """What the workers of the lane “publish” do."""
    from jobs.supervisor import stopping

    return len(Publisher(stopping=stopping).run())


def work_is_there(now: datetime) -> bool:
    return ScheduledPost.objects.takeable(now).exists()
