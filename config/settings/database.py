"""Where rows, hints and cached pages are kept."""

from typing import Any

from config.environment import database_url, given
from config.settings.installation import PROCESS, VAR_DIR


def database() -> dict[str, Any]:
    """PostgreSQL where DATABASE_URL says so, else SQLite tuned for one machine with several processes."""
    config = database_url("DATABASE_URL")
    if config and "sqlite" not in config["ENGINE"]:
        options = config.setdefault("OPTIONS", {})
        if PROCESS == "web":
            # A pool belongs to one process: a forked worker would share its sockets.
            options["pool"] = {"min_size": 1, "max_size": 16, "timeout": 20}
            # A request gets no connection that died with the server it went to; a look costs 0.1 ms.
            config["CONN_HEALTH_CHECKS"] = True
        else:
            config["CONN_MAX_AGE"] = 600
        return config
    name = config["NAME"] if config else VAR_DIR / "slotcast.sqlite3"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": name,
        "CONN_MAX_AGE": 0 if PROCESS == "web" else 600,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; "
            "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-16000;",
        },
        # Tests start real processes beside themselves: the database must be a file.
        "TEST": {"NAME": VAR_DIR / "test.sqlite3"},
    }


DATABASES = {"default": database()}

REDIS_URL = given("REDIS_URL")
# Not in Redis, which carries hints only: every call of the API counts in here, and must work without it.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR_DIR / "cache",
    },
    # Pages that scripts have read, to ask their sites only for what has changed.
    "pages": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR_DIR / "pages",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    },
}
