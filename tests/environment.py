"""Loaded before the settings: tests see only what they are meant to see, and write only where they may."""

import os
import tempfile

KEPT = {
    "DATABASE_URL", "REDIS_URL", "SLOTCAST_NOTHING_LEFT_OUT",
    # An S3 server of one's own for the tests of storage; without it they bring one along.
    "SLOTCAST_TEST_S3_URL", "SLOTCAST_TEST_S3_KEY", "SLOTCAST_TEST_S3_SECRET", "SLOTCAST_TEST_S3_CA_FILE",
}  # fmt: skip
OWN = (
    "DAILYMOTION_", "ONLYSOCIAL_", "SPACES_", "UPLOAD_", "SANDBOX_", "SLOTCAST_", "LEASE_", "STALE_", "STALL_",
    "RECONCILE_", "ENCODING_", "LIBRARY_", "MEDIA_", "FETCH_", "OPENSUBTITLES_", "PIPELINE_",
    "JOBS_", "HISTORY_", "PUBLIC_URL",
    "PRE_UPLOAD_", "TRANSCODE_", "PUBLISH_", "CRON_", "DEMO", "DEBUG", "SECRET_KEY", "TIME_ZONE", "ALLOWED_HOSTS",
    "STORAGE_", "DO_API_", "AWS_", "PLAYER_",
)  # fmt: skip

for name in list(os.environ):
    if name.startswith(OWN) and name not in KEPT:
        del os.environ[name]

# Run side by side (pytest -n 3), each process has queues of its own; its database and folder it has anyway.
number = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
base, slash, index = os.environ.get("REDIS_URL", "").rpartition("/")
if number and index.isdecimal():
    os.environ["REDIS_URL"] = f"{base}{slash}{(int(index) + 1 + int(number)) % 16}"

if authority := os.environ.get("SLOTCAST_TEST_S3_CA_FILE"):
    os.environ["SPACES_CA_FILE"] = authority
os.environ["SLOTCAST_ENV_FILE"] = os.devnull
os.environ["SLOTCAST_VAR"] = tempfile.mkdtemp(prefix="slotcast-tests-")
os.environ["LOG_LEVEL"] = "WARNING"
# Playwright's synchronous interface runs an event loop in the test's own thread.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
