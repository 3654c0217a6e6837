from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from jobs.pipeline.tokens import PipelineToken


class Command(BaseCommand):
    help = "Make a token for an external script, which may only report its own pipeline jobs; print it, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="which script, or which machine, holds it")
        parser.add_argument("--revoke", action="store_true", help="Revoke the token of this name instead")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        token = PipelineToken.objects.filter(name=name).first()
        if options["revoke"]:
            if token is None:
                raise CommandError(f"There is no token “{name}”.")
            done = token.revoke(now=timezone.now())
            self.stdout.write(f"The token “{name}” {'is revoked' if done else 'was revoked before'}.")
            return
        if token is not None:
            raise CommandError(f"There is a token “{name}” already. Choose another name.")
        token = PipelineToken(name=name)
        secret = token.fill()
        token.full_clean()
        token.save(force_insert=True)
        self.stdout.write("Keep it now, it is not shown again. Use it as “Authorization: Bearer <token>”.")
        self.stdout.write(secret)
