"""The staff pages of schedules."""

from django.urls import include, path

from schedules import destination_views, slot_line_views, slot_views, views, whole_way_views

urlpatterns = [
    path("pipeline/episodes/<int:episode_id>/", whole_way_views.episode_way, name="episode-way"),
    path("uploads/", views.uploads, name="uploads"),
    path("uploads/add/", views.add, name="uploads-add"),
    path("uploads/retry-all/", views.retry_all, name="uploads-retry-all"),
    path("uploads/episodes/<int:row_id>/", views.episode, name="uploads-episode"),
    path("uploads/episodes/<int:row_id>/retry/", views.retry, name="uploads-retry"),
    path("uploads/episodes/<int:row_id>/now/", views.upload_now, name="uploads-now"),
    path("uploads/episodes/<int:row_id>/cancel/", views.cancel, name="uploads-cancel"),
    path("uploads/series/<int:schedule_id>/pause/", views.pause_series, name="uploads-pause"),
    path("uploads/series/<int:row_id>/resume/", views.resume_series, name="uploads-resume"),
    path("uploads/series/<int:schedule_id>/remove/", views.remove_series, name="uploads-remove"),
    path("uploads/series/<int:schedule_id>/policy/", views.set_policy, name="uploads-policy"),
    path("uploads/series/<int:schedule_id>/move/", views.move_series, name="uploads-move"),
    path("uploads/destinations/<slug:name>/pause/", destination_views.pause, name="destination-pause"),
    path("uploads/destinations/<slug:name>/resume/", destination_views.resume, name="destination-resume"),
    path("uploads/destinations/<slug:name>/test/", destination_views.test, name="destination-test"),
    path("slots/", slot_views.slots, name="slots"),
    path("slots/windows/new/", slot_views.window, name="slots-window-new"),
    path("slots/windows/<uuid:key>/", slot_views.window, name="slots-window"),
    path("slots/windows/<uuid:key>/delete/", slot_views.delete_window, name="slots-window-delete"),
    path("slots/blackouts/new/", slot_views.blackout, name="slots-blackout-new"),
    path("slots/blackouts/<int:key>/", slot_views.blackout, name="slots-blackout"),
    path("slots/blackouts/<int:key>/delete/", slot_views.delete_blackout, name="slots-blackout-delete"),
    path("slots/videos/add/", slot_line_views.add, name="slots-add"),
    path("slots/videos/<int:row_id>/", slot_line_views.video, name="slots-video"),
    path("slots/videos/<int:row_id>/move/", slot_line_views.move, name="slots-video-move"),
    path("slots/videos/<int:row_id>/priority/", slot_line_views.set_priority, name="slots-video-priority"),
    path("slots/videos/<int:row_id>/retry/", slot_line_views.retry, name="slots-video-retry"),
    path("slots/videos/<int:row_id>/cancel/", slot_line_views.cancel, name="slots-video-cancel"),
    path("slots/videos/<int:row_id>/now/", slot_line_views.upload_now, name="slots-video-now"),
    path("slots/videos/<int:row_id>/remove/", slot_line_views.remove, name="slots-video-remove"),
    path("posts/", include("schedules.posts.page.urls")),
]
