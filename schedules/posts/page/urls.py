"""The addresses of the posts page."""

from django.urls import path

from schedules.posts.page import form_views, playing, views

urlpatterns = [
    path("", views.posts, name="posts"),
    path("new/", form_views.new, name="posts-new"),
    path("new/files/", form_views.files, name="posts-files"),
    path("<int:post_id>/", views.post, name="post"),
    path("<int:post_id>/edit/", form_views.edit, name="post-edit"),
    path("<int:post_id>/move/", views.move, name="post-move"),
    path("<int:post_id>/duplicate/", views.duplicate, name="post-duplicate"),
    path("<int:post_id>/now/", views.publish_now, name="post-now"),
    path("<int:post_id>/retry/", views.retry, name="post-retry"),
    path("<int:post_id>/cancel/", views.cancel, name="post-cancel"),
    path("<int:post_id>/videos/<int:position>/", playing.video, name="post-video"),
]
