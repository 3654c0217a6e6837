from django.apps import AppConfig
from django.db.models.signals import post_migrate


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Jobs"

    def ready(self) -> None:
        from jobs import notifying, runner, tallies, throughput, ticker, tidying
        from jobs.pipeline import outcomes, pruning, timetable, totals

        post_migrate.connect(tallies.install, dispatch_uid="tallies")
        ticker.register("tallies", tallies.merge, every_seconds=20)
        ticker.register("hours", throughput.merge, every_seconds=300)
        runner.serve("short", notifying.work_is_there, notifying.tell_due)
        outcomes.listen()
        ticker.register("pipeline schedules", timetable.tick, every_seconds=1)
        ticker.register("pipeline totals", totals.count_up, every_seconds=2)
        tidying.register("pipeline jobs", pruning.drop_finished)
        tidying.register("lines of history", tidying.drop_history)
