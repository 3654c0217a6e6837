from django.apps import AppConfig


class UploaderConfig(AppConfig):
    name = "uploader"
    verbose_name = "Catalog and uploads"

    def ready(self) -> None:
        from jobs import ticker
        from uploader import social_accounts

        ticker.register("social accounts", social_accounts.sync_due, every_seconds=30)
