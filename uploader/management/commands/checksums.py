from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from uploader import library
from uploader.catalog import Episode, Film


class Command(BaseCommand):
    help = (
        "Take the SHA-256 of every video that has none yet, or with --verify compare the files with those "
        "taken before. Prints how many were read; ends with an error when a file differs or cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--verify", action="store_true", help="read again what has a checksum")

    def handle(self, *args: Any, **options: Any) -> None:
        read, wrong = 0, 0
        for model in (Film, Episode):
            videos = model.objects.ready()
            for video in videos.exclude(checksum="") if options["verify"] else videos.filter(checksum=""):
                try:
                    if options["verify"]:
                        with library.open_video(video.path) as file:
                            if library.sha256(file) != video.checksum:
                                raise library.LibraryError(f"{video.path} is not the file it was")
                    else:
                        video.take_checksum()
                except library.LibraryError as error:
                    wrong += 1
                    self.stderr.write(f"{video}: {error}")
                else:
                    read += 1
        if wrong:
            raise CommandError(f"{wrong} of {read + wrong} videos differ or cannot be read.")
        self.stdout.write(str(read))
