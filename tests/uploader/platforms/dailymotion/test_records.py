"""What is refused before anything is sent."""

import dataclasses

import pytest

from uploader.platforms.dailymotion import Credentials, NewVideo, UploadedFile, UploadSession
from uploader.platforms.errors import Rejected


def new_video(**changes) -> NewVideo:
    values = {
        "title": "Harbour – Episode 1",
        "description": "The boats.",
        "tags": ("harbour", "vid-0123abcd"),
        "category": "tv",
        "is_for_kids": False,
    }
    return NewVideo(**{**values, **changes})


def test_a_video_at_every_limit_is_accepted():
    video = new_video(
        title="ü" * 255,
        description="d" * 3000,
        tags=tuple(f"{n:0150}" for n in range(150)),
        visibility="password",
        password="p" * 32,
    )
    assert len(video.tags) == 150


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": " \n"}, "The title is empty. Dailymotion needs one."),
        ({"title": "t" * 256}, "The title has 256 characters. Dailymotion takes 255."),
        ({"title": "caf\udce9"}, "The title contains characters that are not valid text. Type it anew."),
        ({"description": "d" * 3001}, "The description has 3001 characters. Dailymotion takes 3000."),
        ({"tags": ("t",) * 151}, "There are 151 tags. Dailymotion takes 150."),
        ({"tags": ("t" * 151,)}, f"The tag “{'t' * 30}…” has 151 characters. Dailymotion takes 150."),
        ({"tags": ("a,b",)}, "The tag “a,b” contains a comma. Make it two tags."),
        ({"tags": (" ",)}, "A tag is empty. Remove it."),
        ({"category": "cinema"}, "“cinema” is no Dailymotion category. Choose one of animals, auto, "),
        ({"is_for_kids": "no"}, "Say whether the video is made for kids: yes or no."),
        ({"visibility": "hidden"}, "“hidden” is no visibility. Choose public, private or password."),
        ({"visibility": "password"}, "needs one of 1 to 32 characters; this one has 0."),
        ({"visibility": "password", "password": "p" * 33}, "this one has 33."),
    ],
)
def test_a_video_beyond_a_limit_is_rejected_with_the_reason(changes, message):
    with pytest.raises(Rejected) as caught:
        new_video(**changes)
    assert message in str(caught.value)


def test_no_representation_shows_a_secret():
    credentials = Credentials("public", "the-key", "the-secret", username="ann", password="the-password")
    session = UploadSession("https://up.dailymotion.com/?seal=the-seal", "https://up/?seal=the-seal")
    shown = repr([credentials, session, UploadedFile("https://up/f#the-seal"), new_video(password="the-pw")])
    assert "the-" not in shown
    assert "ann" in shown


def test_records_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        new_video().title = "Other"
