"""The worker: its lanes, how it holds jobs, and what goes by itself."""

from typing import Any

from config.environment import seconds, whole
from config.settings.database import REDIS_URL

# A lane is a queue with its own django-q2 cluster. "workers" is a number of processes.
LANES: dict[str, dict[str, int]] = {
    "short": {"workers": 2, "timeout": 300},
    "upload": {"workers": whole("UPLOAD_WORKERS", 4, least=1, most=100), "timeout": 12 * 3600},
    "transcode": {"workers": 1, "timeout": 24 * 3600},
    "pipeline": {"workers": whole("PIPELINE_WORKERS", 2, least=1, most=100), "timeout": 24 * 3600},
    "publish": {"workers": whole("PUBLISH_WORKERS", 4, least=1, most=32), "timeout": 3600},
}
Q_CLUSTER: dict[str, Any] = {
    "name": "slotcast",
    "label": "Queue",
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
    "workers": 1,
    "queue_limit": 1,
    "timeout": 300,
    "retry": 360,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "poll": 0.05,
    "recycle": 500,
    "ALT_CLUSTERS": {
        name: {
            "workers": lane["workers"],
            "queue_limit": lane["workers"],
            "timeout": lane["timeout"],
            "retry": lane["timeout"] + 600,
        }
        for name, lane in LANES.items()
    },
}

LEASE_SECONDS = seconds("LEASE_SECONDS", 60)
STALE_AFTER_SECONDS = seconds("STALE_AFTER_SECONDS", 1800)
# A call that moves no byte for so long is given up.
STALL_SECONDS = seconds("STALL_SECONDS", 60)
# How long the worker lets running work finish or step back when it is stopped; below honcho's five seconds.
WORKER_GRACE_SECONDS = seconds("WORKER_GRACE_SECONDS", 4, may_be_zero=True)

# ------------------------------------------------------------------ what goes by itself, in days; 0: never
# Completed, cancelled and handled jobs leave the list; rows that prove a delivery stay in the database.
JOBS_LISTED_DAYS = whole("JOBS_LISTED_DAYS", 90, least=0, most=36_500)
# Temporary files of failed and cancelled jobs; afterwards they cannot be retried without transcoding again.
JOBS_FILES_DAYS = whole("JOBS_FILES_DAYS", 7, least=0, most=36_500)
# Finished packages on this machine, after all of them was uploaded; players read them from the storage.
PACKAGES_KEPT_DAYS = whole("PACKAGES_KEPT_DAYS", 7, least=0, most=36_500)
# Completed rows of the hourly queue; the upload jobs stay.
QUEUE_KEPT_DAYS = whole("QUEUE_KEPT_DAYS", 30, least=0, most=36_500)
# Rows that have left the list and prove nothing; the history of everything, and finished pipeline jobs.
JOBS_KEPT_DAYS = whole("JOBS_KEPT_DAYS", 365, least=0, most=36_500)
HISTORY_KEPT_DAYS = whole("HISTORY_KEPT_DAYS", 365, least=0, most=36_500)
