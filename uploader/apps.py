from django.apps import AppConfig


class UploaderConfig(AppConfig):
    name = "uploader"
    verbose_name = "Catalog and uploads"

    def ready(self) -> None:
        from jobs import ticker, tidying
        from uploader import package_uploads as package_uploads  # it connects itself
        from uploader import social_accounts
        from uploader.manager import announcing as announcing  # it connects itself
        from uploader.manager import tidying as jobs_tidying
        from uploader.transcoding import outcomes, spent, workfiles

        ticker.register("social accounts", social_accounts.sync_due, every_seconds=30)
        tidying.register(
            "folders of transcodings that no job needs",
            lambda round_: workfiles.sweep(round_.now),
            every_seconds=900,
        )
        tidying.register("packages here that are in the storage, or broken", spent.remove_spent)
        jobs_tidying.register()
        outcomes.connect()
