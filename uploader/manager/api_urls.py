"""The addresses under `/v1/studio/upload-jobs`."""

from django.urls import path

from uploader.manager import api

urlpatterns = [
    path("v1/studio/upload-jobs", api.UploadJobsView.as_view(), name="api-upload-jobs"),
    path("v1/studio/upload-jobs/clear", api.ClearView.as_view(), name="api-upload-jobs-clear"),
    path("v1/studio/upload-jobs/fix-stuck", api.FixStuckView.as_view(), name="api-upload-jobs-fix-stuck"),
    path("v1/studio/upload-jobs/<str:job_id>", api.UploadJobView.as_view(), name="api-upload-job"),
    path("v1/studio/upload-jobs/<str:job_id>/retry", api.RetryView.as_view(), name="api-upload-job-retry"),
    path("v1/studio/upload-jobs/<str:job_id>/cancel", api.CancelView.as_view(), name="api-upload-job-cancel"),
    path(
        "v1/studio/upload-jobs/<str:job_id>/cleanup", api.CleanupView.as_view(), name="api-upload-job-cleanup"
    ),
    path("v1/studio/upload-jobs/<str:job_id>/sync", api.SyncView.as_view(), name="api-upload-job-sync"),
]
