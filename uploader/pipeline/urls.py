"""The addresses of the review of matches."""

from django.urls import path

from uploader.pipeline import match_views

urlpatterns = [
    path("pipeline/matches/", match_views.matches, name="matches"),
    path("pipeline/matches/look/", match_views.look, name="matches-look"),
    path("pipeline/matches/accept-sure/", match_views.accept_sure, name="matches-accept-sure"),
    path("pipeline/matches/<int:match_id>/accept/", match_views.accept, name="match-accept"),
    path("pipeline/matches/<int:match_id>/reject/", match_views.reject, name="match-reject"),
]
