"""What is handed to OnlySocial and what comes back, free of its field names."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from uploader.platforms.errors import Rejected

MEDIA_BYTES = 100_000_000  # what the platform takes per file
CAPTION_CHARACTERS = 5000

# Those that show stories; elsewhere one would become an ordinary public post.
_WITH_STORIES = ("instagram", "instagram_direct", "facebook_page")


class PostFormat(StrEnum):
    """How the body of a new post is written."""

    CURRENT = "current"  # the documented one: content with body and integer media ids, options per provider
    LEGACY = "legacy"  # the older one: content as plain strings, media_ids as strings, post_type


class PostType(StrEnum):
    REEL = "reel"
    STORY = "story"
    POST = "post"


class PostStatus(StrEnum):
    """How far the platform is with a post."""

    DRAFT = "draft"  # made, and nobody asked to publish it
    SCHEDULED = "scheduled"  # accepted, waits for its moment
    PUBLISHING = "publishing"  # under way
    NEEDS_APPROVAL = "needs_approval"  # waits for a person at the platform
    PUBLISHED = "published"  # out on every account
    PARTLY_PUBLISHED = "partly_published"  # out on some accounts, failed on others; never to be made again
    FAILED = "failed"  # out on none
    UNKNOWN = "unknown"  # a word of the platform's that is not known here; to be looked at again

    @property
    def is_final(self) -> bool:
        """The platform will do nothing more of its own."""
        return self in (PostStatus.PUBLISHED, PostStatus.PARTLY_PUBLISHED, PostStatus.FAILED)


@dataclass(frozen=True)
class Credentials:
    """A token and its workspace; an empty address means the vendor's own."""

    key: str = field(repr=False)
    workspace: str
    api_url: str = ""
    post_format: PostFormat = PostFormat.CURRENT


@dataclass(frozen=True)
class Identity:
    """What the credentials reach, as a name for people."""

    name: str
    profile_id: str = ""


@dataclass(frozen=True)
class Account:
    """A social account of the workspace."""

    id: int
    uuid: str
    name: str
    provider: str
    is_authorized: bool
    username: str = ""


@dataclass(frozen=True)
class Media:
    """A file the platform has; posts name it by `id`."""

    id: int
    uuid: str = ""
    name: str = ""
    mime_type: str = ""
    url: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A post to be made on one account."""

    account_id: int
    provider: str
    caption: str
    media_ids: tuple[int, ...]
    post_type: PostType = PostType.POST

    def require_valid(self) -> None:
        """Raises Rejected for what the platform would refuse, or take for something else."""
        if len(self.caption) > CAPTION_CHARACTERS:
            raise Rejected(
                f"The caption has {len(self.caption):,} characters; OnlySocial takes {CAPTION_CHARACTERS:,}."
            )
        if not self.media_ids and not self.caption.strip():
            raise Rejected("The post has neither media nor a caption.")
        if not can_take(self.provider, self.post_type):
            raise Rejected(f"An account of {self.provider} has no stories. Choose post or reel.")


def can_take(provider: str, post_type: PostType) -> bool:
    """Whether accounts of the provider can show posts of this type."""
    return post_type is not PostType.STORY or provider in _WITH_STORIES


@dataclass(frozen=True)
class Acceptance:
    """The answer to “publish”: a promise, not yet a publication."""

    scheduled_at: datetime | None = None
    needs_approval: bool = False
    was_under_way: bool = False  # an earlier request had been accepted already


@dataclass(frozen=True)
class PostAccount:
    """How a post fared on one account."""

    id: int
    provider: str = ""
    name: str = ""
    external_url: str = ""
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Post:
    uuid: str
    status: PostStatus
    platform_status: str = ""  # in the platform's word
    accounts: tuple[PostAccount, ...] = ()
    media_ids: tuple[int, ...] = ()
    scheduled_at: datetime | None = None
    published_at: datetime | None = None
    created_at: datetime | None = None
    is_trashed: bool = False

    @property
    def failure(self) -> str:
        """What the accounts said went wrong, as one sentence; empty: nothing."""
        said = [
            f"{account.name or account.provider or account.id}: {'; '.join(account.errors)}"
            for account in self.accounts
            if account.errors
        ]
        return ". ".join(said)
