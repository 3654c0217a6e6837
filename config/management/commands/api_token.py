from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from knox.models import AuthToken


class Command(BaseCommand):
    help = "Make an API token for a member of the staff and print it, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--revoke", action="store_true", help="Revoke all tokens of the user instead")

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user “{options['username']}”.")
        if options["revoke"]:
            count, _ = AuthToken.objects.filter(user=user).delete()
            self.stdout.write(f"{count} tokens of {user.get_username()} revoked.")
            return
        if not (user.is_active and user.is_staff):
            raise CommandError(
                f"“{user.get_username()}” is not an active member of the staff: the API would refuse."
            )
        _, token = AuthToken.objects.create(user)
        self.stdout.write("Keep it now, it is not shown again. Use it as “Authorization: Bearer <token>”.")
        self.stdout.write(token)
