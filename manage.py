#!/usr/bin/env python
"""Slotcast's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["worker"]:
        os.environ.setdefault("SLOTCAST_PROCESS", "supervisor")
    for argument in sys.argv:
        refuse_unreadable(argument)
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError) as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database refused: {first_line(error)} Run .venv/bin/python manage.py doctor.")


def refuse_unreadable(argument: str) -> None:
    """Names of files that are no UTF-8 arrive as text that no database takes."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        readable = argument.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        sys.exit(f"“{readable}” is not valid UTF-8. Rename the file, or write it otherwise, then retry.")


def first_line(error: Exception) -> str:
    return f"{str(error).strip().splitlines()[0]}." if str(error).strip() else f"{type(error).__name__}."


if __name__ == "__main__":
    main()
