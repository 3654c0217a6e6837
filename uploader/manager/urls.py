"""The addresses of the jobs page."""

from django.urls import path

from jobs import pages
from uploader.manager import views

pages.register_rights(may_manage_jobs="uploader.change_uploadjob")

urlpatterns = [
    path("jobs/", views.jobs, name="jobs"),
    path("jobs/<slug:kind>/<int:job_id>/", views.job, name="jobs-detail"),
    path("jobs/<slug:kind>/<int:job_id>/<slug:verb>/", views.act, name="jobs-act"),
    path("jobs/<slug:kind>/all/<slug:verb>/", views.act_on_all, name="jobs-act-on-all"),
    path("jobs/<slug:kind>/fix-stuck/", views.fix_stuck, name="jobs-fix-stuck"),
]
