"""Where packages are played."""

from django.urls import path

from uploader import playing

urlpatterns = [
    path("jobs/packages/<int:job_id>/play/", playing.play, name="package-play"),
    path("jobs/packages/<int:job_id>/files/<path:path>", playing.package_file, name="package-file"),
]
