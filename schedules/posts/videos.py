"""The videos of a scheduled post: where each comes from, and what the platform calls it."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from django.db import models

from schedules.posts.models import ScheduledPost
from uploader import kept_files
from uploader.upload_jobs import UploadJob


class PostVideo(models.Model):
    """One video of a post: a file of the library, an uploaded file, or an address on Spaces."""

    post = models.ForeignKey(ScheduledPost, on_delete=models.CASCADE, related_name="videos")
    position = models.PositiveSmallIntegerField()
    library_path = models.CharField(max_length=1000, blank=True)
    media_path = models.CharField(max_length=500, blank=True, help_text="Relative to MEDIA_ROOT")
    url = models.URLField(max_length=2000, blank=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    job = models.OneToOneField(
        UploadJob, null=True, blank=True, on_delete=models.SET_NULL, related_name="post_video", editable=False
    )
    # Written by itself as soon as the platform has the file.
    media_id = models.BigIntegerField(null=True, blank=True, editable=False)
    uploaded_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=["post", "position"], name="post_video_position"),
            models.CheckConstraint(
                condition=models.Q(media_path="", url="") & ~models.Q(library_path="")
                | models.Q(library_path="", url="") & ~models.Q(media_path="")
                | models.Q(library_path="", media_path="") & ~models.Q(url=""),
                name="post_video_one_source",
            ),
        )

    def __str__(self) -> str:
        return self.filename

    @property
    def source(self) -> str:
        """Where it comes from, as people read it."""
        return self.library_path or self.media_path or self.url

    @property
    def address(self) -> str:
        """Its address on Spaces, given or made here; empty for a file of this machine or the library."""
        return self.url or (kept_files.address(self.media_path) if self.media_path else "")

    @property
    def filename(self) -> str:
        path = unquote(urlsplit(self.url).path) if self.url else self.source
        return PurePosixPath(path).name
