"""When and how videos are delivered: uploads, transcoding, windows, posts."""

from pathlib import Path

from config.environment import given, list_of_seconds, seconds, time_zone, whole
from config.settings.installation import DEMO, VAR_DIR

# ------------------------------------------------------------------ uploads
UPLOAD_INTERVAL_SECONDS = seconds("UPLOAD_INTERVAL_SECONDS", 12 if DEMO else 3600)
UPLOAD_MAX_RETRIES = whole("UPLOAD_MAX_RETRIES", 3, least=1, most=20)
UPLOAD_RETRY_DELAYS_SECONDS = list_of_seconds("UPLOAD_RETRY_DELAYS_SECONDS", "3,6" if DEMO else "60,300")
# Two looks at the platform, so far apart, before a request whose answer was lost is sent again.
RECONCILE_WAIT_SECONDS = seconds("RECONCILE_WAIT_SECONDS", 5 if DEMO else 60, may_be_zero=True)
# How often a platform is asked whether a video is encoded, and when a person is called.
ENCODING_POLL_SECONDS = seconds("ENCODING_POLL_SECONDS", 1 if DEMO else 15)
ENCODING_GIVE_UP_SECONDS = seconds("ENCODING_GIVE_UP_SECONDS", 24 * 3600)

# ------------------------------------------------------------------ transcoding
# Films at work and finished packages. Machines that share the work on one film share this folder, as the library.
TRANSCODE_ROOT = Path(given("TRANSCODE_ROOT", str(VAR_DIR / "transcoding"))).expanduser()
TRANSCODE_RETRY_SECONDS = seconds("TRANSCODE_RETRY_SECONDS", 5 if DEMO else 30)
# The length of a segment: how soon players change the resolution, and how many files there are.
TRANSCODE_SEGMENT_SECONDS = seconds("TRANSCODE_SEGMENT_SECONDS", 4)
# Films at least four times as long are encoded in pieces of so long, which several workers do side by side.
TRANSCODE_PIECE_SECONDS = seconds("TRANSCODE_PIECE_SECONDS", 60)

# ------------------------------------------------------------------ windows
# Whose clock the times of weekly windows are of, unless a window names another zone.
SLOT_TIME_ZONE = time_zone("SLOT_TIME_ZONE", "Asia/Kolkata")

# ------------------------------------------------------------------ posts
# A post's media go to the platform so long before its moment; more for files the measured speed needs longer for.
PRE_UPLOAD_LEAD_SECONDS = seconds("PRE_UPLOAD_LEAD_SECONDS", 45 if DEMO else 3600)
# How late a post may be published; what could not be in this time ends as missed.
PUBLISH_GRACE_SECONDS = seconds("PUBLISH_GRACE_SECONDS", 300)
# So many posts of a worker process are between "will be sent" and the answer; 0: all of one second at once,
# which is sooner, and leaves more to ask the platform about after a crash.
PUBLISH_MARK_AT_ONCE = whole("PUBLISH_MARK_AT_ONCE", 0, least=0, most=10_000)
CRON_SECRET = given("CRON_SECRET")
