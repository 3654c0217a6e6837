"""What is asked of a bucket beside its objects: uploads in parts. By boto3, which signs; the bytes go elsewhere.

Amazon S3 API: CreateMultipartUpload, ListMultipartUploads, ListParts, UploadPart, CompleteMultipartUpload,
AbortMultipartUpload. Checksums of botocore's own are off: behind TLS they come as trailers, which Ceph refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

from uploader.platforms.errors import Rejected
from uploader.transfer.errors import ConnectionBroken, answered
from uploader.transfer.places import Bucket
from uploader.transfer.streams import allow_unchecked

PART_URL_SECONDS = 6 * 3600


class UploadGone(Rejected):
    """The upload in parts is no more: it was completed, or given up."""


class Control:
    """The calls of one bucket. May be shared between threads. Keys are relative to the place's prefix."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._client = _client(replace(bucket, prefix=""))

    def begin(self, key: str, headers: dict[str, str]) -> str:
        """A new upload in parts; its id."""
        with self._translating():
            made = self._client.create_multipart_upload(
                **self._at(key), ContentType=headers["Content-Type"], CacheControl=headers["Cache-Control"]
            )
        return str(made["UploadId"])

    def unfinished(self, key: str) -> list[str]:
        """The ids of uploads of this very key that were begun and not ended, the newest first."""
        wanted = self._at(key)
        with self._translating():
            answer = self._client.list_multipart_uploads(Bucket=self.bucket.name, Prefix=wanted["Key"])
        found = [each for each in answer.get("Uploads") or () if each["Key"] == wanted["Key"]]
        return [each["UploadId"] for each in sorted(found, key=lambda each: each["Initiated"], reverse=True)]

    def unfinished_below(self, folder: str) -> list[tuple[str, str]]:
        """Key and id of every upload in parts below a folder."""
        wanted = self._at(f"{folder.rstrip('/')}/")["Key"]
        skip = len(wanted) - len(folder.rstrip("/")) - 1
        with self._translating():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket.name, Prefix=wanted
            )
            return [
                (each["Key"][skip:], each["UploadId"]) for page in pages for each in page.get("Uploads") or ()
            ]

    def parts(self, key: str, upload_id: str) -> dict[int, tuple[int, str]]:
        """Size and tag of each part that has arrived, by its number, counted from 1."""
        with self._translating():
            pages = self._client.get_paginator("list_parts").paginate(**self._at(key), UploadId=upload_id)
            return {
                part["PartNumber"]: (part["Size"], part["ETag"].strip('"').lower())
                for page in pages
                for part in page.get("Parts") or ()
            }

    def part_url(self, key: str, upload_id: str, number: int) -> str:
        """Where to PUT one part. Secret: whoever has it may write."""
        return str(
            self._client.generate_presigned_url(
                "upload_part",
                Params={**self._at(key), "UploadId": upload_id, "PartNumber": number},
                ExpiresIn=PART_URL_SECONDS,
            )
        )

    def object_url(self, key: str, headers: dict[str, str]) -> str:
        """Where to PUT a whole object with exactly these headers. Secret as well."""
        return str(
            self._client.generate_presigned_url(
                "put_object",
                Params={
                    **self._at(key),
                    "ContentType": headers["Content-Type"],
                    "CacheControl": headers["Cache-Control"],
                },
                ExpiresIn=PART_URL_SECONDS,
            )
        )

    def complete(self, key: str, upload_id: str, tags: list[str]) -> str:
        """Make one object of the parts; its tag."""
        parts = [{"PartNumber": number, "ETag": f'"{tag}"'} for number, tag in enumerate(tags, 1)]
        with self._translating():
            made = self._client.complete_multipart_upload(
                **self._at(key), UploadId=upload_id, MultipartUpload={"Parts": parts}
            )
        return str(made.get("ETag", "")).strip('"').lower()

    def abort(self, key: str, upload_id: str) -> None:
        """Give an upload up; its parts are freed. One that is gone already is fine."""
        try:
            with self._translating():
                self._client.abort_multipart_upload(**self._at(key), UploadId=upload_id)
        except UploadGone:
            return

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket.name, "Key": "/".join(filter(None, (self.bucket.prefix, key)))}

    @contextmanager
    def _translating(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
            if code == "NoSuchUpload":
                raise UploadGone from None
            raise answered(status, code, self.bucket) from None
        except BotoCoreError as error:
            raise ConnectionBroken(f"{self.bucket} did not answer ({type(error).__name__}).") from None


@lru_cache(maxsize=8)
def _client(bucket: Bucket) -> Any:
    """A client of boto3, kept: it takes half a second to make. Imported here: most uploads have no use for it."""
    import boto3
    from botocore.config import Config

    verify: bool | str = bucket.ca_file or True
    if not bucket.checks_certificate:
        verify = False
        allow_unchecked()
    own = Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual" if bucket.is_virtual else "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "max_attempts": 6},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=32,
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=bucket.endpoint,
        region_name=bucket.region,
        aws_access_key_id=bucket.key,
        aws_secret_access_key=bucket.secret,
        verify=verify,
        config=own,
    )
