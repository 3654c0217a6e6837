"""The addresses of the pipeline page."""

from django.urls import path

from jobs.pipeline.page import views

urlpatterns = [
    path("", views.pipeline, name="pipeline"),
    path("start/", views.start, name="pipeline-start"),
    path("handled/", views.all_handled, name="pipeline-all-handled"),
    path("runs/<uuid:job_id>/", views.run, name="pipeline-run"),
    path("runs/<uuid:job_id>/retry/", views.retry, name="pipeline-retry"),
    path("runs/<uuid:job_id>/again/", views.rerun, name="pipeline-rerun"),
    path("runs/<uuid:job_id>/cancel/", views.cancel, name="pipeline-cancel"),
    path("runs/<uuid:job_id>/release/", views.release, name="pipeline-release"),
    path("runs/<uuid:job_id>/handled/", views.handled, name="pipeline-handled"),
]
