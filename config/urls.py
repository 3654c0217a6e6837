"""Every address of the product."""

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView

from config import views
from config.control_room import control_room
from jobs.pipeline import api as pipeline_api
from schedules import api as schedules_api
from schedules.posts import api as posts_api
from schedules.posts import cron_api

# Whoever asks for an address gets all of them, in processes that load no page at their start, too.
admin.autodiscover()

urlpatterns = [
    path("", control_room, name="control-room"),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("metrics", views.MetricsView.as_view(), name="metrics"),
    path("api/upload/schedule", schedules_api.ScheduleView.as_view(), name="api-upload-schedule"),
    path(
        "api/upload/schedule/<int:series_id>",
        schedules_api.SeriesScheduleView.as_view(),
        name="api-upload-schedule-series",
    ),
    path(
        "api/upload/scheduler/status",
        schedules_api.SchedulerStatusView.as_view(),
        name="api-upload-scheduler-status",
    ),
    path(
        "api/schedule/smart-schedule",
        posts_api.SmartScheduleView.as_view(),
        name="api-schedule-smart-schedule",
    ),
    path("api/cron/pre-upload", cron_api.PreUploadView.as_view(), name="api-cron-pre-upload"),
    path("api/cron/publish", cron_api.PublishView.as_view(), name="api-cron-publish"),
    path("api/pipeline-jobs", pipeline_api.PipelineJobsView.as_view(), name="api-pipeline-jobs"),
    path("api/pipeline-jobs/stats", pipeline_api.PipelineStatsView.as_view(), name="api-pipeline-stats"),
    path("api/pipeline-jobs/<uuid:job_id>", pipeline_api.PipelineJobView.as_view(), name="api-pipeline-job"),
    path("api/openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path(
        "api/docs",
        staff_member_required(SpectacularSwaggerView.as_view(url_name="openapi")),
        name="api-docs",
    ),
    path("media/<path:path>", views.media, name="media"),
    path("pipeline/", include("jobs.pipeline.page.urls")),
    path("admin/", admin.site.urls),
    path("", include("uploader.playing_urls")),
    path("", include("uploader.manager.api_urls")),
    path("", include("uploader.manager.urls")),
    path("", include("uploader.pipeline.urls")),
    path("", include("schedules.urls")),
]
handler400 = "config.views.bad_request"
handler404 = "config.views.not_found"
handler500 = "config.views.server_error"
