"""What a demo left in the database that an account of one's own would really publish."""

from django.contrib.auth.models import User

from schedules.posts.models import OPEN as OPEN_POSTS
from schedules.posts.models import ScheduledPost
from schedules.slot_videos import SlotVideo
from schedules.upload_schedules import ScheduledUpload

# Who its rows say they come from.
DEMO = "demo"


def waiting() -> int:
    """The videos and posts of the demo that have not gone out; none are counted where a person has its name."""
    if User.objects.filter(username=DEMO).exists():
        return 0
    return (
        ScheduledUpload.objects.open().filter(schedule__created_by=DEMO).count()
        + SlotVideo.objects.open().filter(added_by=DEMO).count()
        + ScheduledPost.objects.filter(created_by=DEMO, status__in=OPEN_POSTS).count()
    )
