"""What this installation is: its files, its key, where people reach it, what it tells."""

import os
import secrets
from pathlib import Path

import environ

from config import together
from config.environment import flag, folder, given, one_of, time_zone

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()
ENV_FILE = Path(os.environ.get("SLOTCAST_ENV_FILE", BASE_DIR / ".env"))
if ENV_FILE.is_file():
    environ.Env.read_env(ENV_FILE, overwrite=False)

# Where files of this installation live: database, cache, posters, run files.
VAR_DIR = folder("SLOTCAST_VAR", BASE_DIR / "var")
together.take_over(VAR_DIR)

# What this process is: "web", "worker", "ticker" or "" for a command. Decides how it holds connections.
PROCESS = given("SLOTCAST_PROCESS")
# The demo speaks to the stand-in and hurries; with credentials of one's own neither may happen.
DEMO = flag("DEMO", False) and not any(map(given, ("DAILYMOTION_API_KEY", "ONLYSOCIAL_API_KEY")))
DEBUG = flag("DEBUG", False)


def secret_key() -> str:
    """The configured key, else one made once and kept beside the database."""
    if value := given("SECRET_KEY"):
        return value
    kept = VAR_DIR / "secret_key"
    try:
        with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return kept.read_text()


SECRET_KEY = secret_key()
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# The salt under which secrets of destinations are encrypted together with SECRET_KEY.
SALT_KEY = "slotcast.destination.secrets"

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[]) or ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Where people reach the pages, for links in messages: https://slotcast.example.org
PUBLIC_URL = given("PUBLIC_URL")

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = time_zone("TIME_ZONE", "UTC")
FORMAT_MODULE_PATH = ["config.formats"]

LIBRARY_ROOT = Path(given("LIBRARY_ROOT", str(VAR_DIR / "library"))).expanduser()
MEDIA_ROOT = Path(given("MEDIA_ROOT", str(VAR_DIR / "media"))).expanduser()
MEDIA_URL = "/media/"

SANDBOX_URL = given("SANDBOX_URL", "http://127.0.0.1:8100") if DEMO else ""

LOG_LEVEL = one_of("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname:<7} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django-q": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
    },
}
