from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    name = "schedules"
    verbose_name = "Schedules"

    def ready(self) -> None:
        from jobs import runner, ticker, tidying
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
        tidying.register("completed rows of the hourly queue", hourly.archive_old)
        ticker.register("pre-upload", media.pre_upload, every_seconds=5)
        ticker.register("missed posts", post_outcomes.end_overdue, every_seconds=1)
        tidying.register("uploaded files without a post", lambda round_: leftovers.remove(round_.now))
        lineage.register(whole_way.relations_of)
        runner.serve("publish", publisher.work_is_there, publisher.publish_posts)
