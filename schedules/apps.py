from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    name = "schedules"
    verbose_name = "Schedules"

    def ready(self) -> None:
        from jobs import runner, ticker
        from jobs.pipeline import lineage
        from schedules import hourly, slot_clock, slots, whole_way
        from schedules import outcomes as outcomes  # it connects itself
        from schedules.posts import media, publisher
        from schedules.posts import outcomes as post_outcomes
        from schedules.posts.page import leftovers

        ticker.register("hourly queue", hourly.tick, every_seconds=0.5)
        ticker.register("weekly windows", slot_clock.tick, every_seconds=1)
        ticker.register("stale slot videos", slots.reset_stale_pending_videos, every_seconds=60)
        ticker.register("stuck uploads", hourly.reset_stuck, every_seconds=60)
        ticker.register("archive", hourly.archive, every_seconds=3600)
        ticker.register("pre-upload", media.pre_upload, every_seconds=5)
        ticker.register("missed posts", post_outcomes.end_overdue, every_seconds=1)
        ticker.register("uploaded files without a post", leftovers.remove, every_seconds=3600)
        lineage.register(whole_way.relations_of)
        runner.serve("publish", publisher.work_is_there, publisher.publish_posts)
