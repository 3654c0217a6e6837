from django.apps import AppConfig


class UploaderConfig(AppConfig):
    name = "uploader"
    verbose_name = "Catalog and uploads"

    def ready(self) -> None:
        from jobs import ticker
        from uploader import package_uploads as package_uploads  # it connects itself
        from uploader import social_accounts
        from uploader.manager import announcing as announcing  # it connects itself
        from uploader.manager import tidying
        from uploader.transcoding import outcomes, workfiles

        ticker.register("social accounts", social_accounts.sync_due, every_seconds=30)
        ticker.register("transcoding files", workfiles.sweep, every_seconds=900)
        ticker.register("clean-up", tidying.tidy, every_seconds=3600)
        outcomes.connect()
