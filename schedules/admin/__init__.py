"""The admin of when things are delivered."""

from schedules.admin import blackouts, destinations, episodes, line, posts, series, windows

__all__ = ["blackouts", "destinations", "episodes", "line", "posts", "series", "windows"]
