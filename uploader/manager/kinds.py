"""The two kinds of job the manager shows."""

from __future__ import annotations

from typing import Any, NamedTuple

from jobs.tending import TendedJob
from uploader.transcoding.transcode_jobs import TranscodeJob
from uploader.upload_jobs import UploadJob


class Kind(NamedTuple):
    """A kind of job: its word in addresses, its model, and how people call one and several of them."""

    name: str
    model: Any
    title: str
    one: str
    many: str
    # What the rows of a list are read with.
    related: tuple[str, ...]


VIDEO = ("film", "episode__series", "episode__season")
UPLOAD = Kind("upload", UploadJob, "Upload", "upload", "uploads", (*VIDEO, "destination"))
TRANSCODING = Kind("transcoding", TranscodeJob, "Transcoding", "transcoding", "transcodings", VIDEO)
KINDS = {kind.name: kind for kind in (TRANSCODING, UPLOAD)}


def kind_of(job: TendedJob) -> Kind:
    return next(kind for kind in KINDS.values() if isinstance(job, kind.model))


def find(kind: Kind, job_id: int) -> Any:
    """The listed job with this id, or None."""
    return (
        kind.model._default_manager.select_related(*kind.related).filter(pk=job_id, cleared_at=None).first()
    )
