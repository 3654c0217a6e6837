"""Settings. Every value an operator may change comes from the environment or `.env`; see `.env.example`."""

import os
import secrets
from pathlib import Path
from typing import Any

import environ

from config import together
from config.environment import (
    database_url,
    flag,
    folder,
    given,
    list_of_seconds,
    one_of,
    seconds,
    storage_url,
    time_zone,
    whole,
)
from config.unfold import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent

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

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    # The admin's modules are loaded by processes that serve pages: see config.apps.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_prometheus",
    "django_q",
    "django_filters",
    "import_export",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
    "jobs",
    "uploader",
    "schedules",
    "config",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


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

# ------------------------------------------------------------------ the worker
# A lane is a queue with its own django-q2 cluster. "workers" is a number of processes.
LANES: dict[str, dict[str, int]] = {
    "short": {"workers": 2, "timeout": 300},
    "upload": {"workers": whole("UPLOAD_WORKERS", 4, least=1, most=100), "timeout": 12 * 3600},
    "transcode": {"workers": 1, "timeout": 24 * 3600},
    "pipeline": {"workers": whole("PIPELINE_WORKERS", 2, least=1, most=100), "timeout": 24 * 3600},
    "publish": {"workers": whole("PUBLISH_WORKERS", 4, least=1, most=32), "timeout": 3600},
}
Q_CLUSTER: dict[str, Any] = {
    "name": "slotcast",
    "label": "Queue",
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
    "workers": 1,
    "queue_limit": 1,
    "timeout": 300,
    "retry": 360,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "poll": 0.05,
    "recycle": 500,
    "ALT_CLUSTERS": {
        name: {
            "workers": lane["workers"],
            "queue_limit": lane["workers"],
            "timeout": lane["timeout"],
            "retry": lane["timeout"] + 600,
        }
        for name, lane in LANES.items()
    },
}

LEASE_SECONDS = seconds("LEASE_SECONDS", 60)
STALE_AFTER_SECONDS = seconds("STALE_AFTER_SECONDS", 1800)
# A call that moves no byte for so long is given up.
STALL_SECONDS = seconds("STALL_SECONDS", 60)
# How long the worker lets running work finish or step back when it is stopped; below honcho's five seconds.
WORKER_GRACE_SECONDS = seconds("WORKER_GRACE_SECONDS", 4, may_be_zero=True)

# ------------------------------------------------------------------ the pipeline
# A script that ran regularly and has not succeeded for so long is told on the page.
PIPELINE_WARN_HOURS = whole("PIPELINE_WARN_HOURS", 26, least=1, most=10_000)
# Who does the jobs of each type: a dotted path to `handler(job, progress) -> output`.
PIPELINE_HANDLERS: dict[str, str] = {
    "scrape": "jobs.scraping.scripts.scrape",
    "clean": "jobs.texts.handling.clean",
    "summarize": "jobs.texts.handling.summarize",
    "entities": "jobs.texts.handling.entities",
    "embed": "jobs.texts.handling.embed",
    "match": "uploader.pipeline.matching.match",
    "sync_assets": "uploader.pipeline.assets.sync_assets",
}
# What makes something of a text, a dotted path each; see jobs/texts/tools.py for what it is given and gives.
PIPELINE_TOOLS: dict[str, str] = {
    "clean": given("PIPELINE_CLEANER", "jobs.texts.cleaning.clean"),
    "summarize": given("PIPELINE_SUMMARIZER", "jobs.texts.summarizing.summarize"),
    "entities": given("PIPELINE_ENTITY_FINDER", "jobs.texts.finding.find_entities"),
    "embed": given("PIPELINE_EMBEDDER", "jobs.texts.embedding.embed"),
}
# The scripts of `scrape`, by the name in a job's "scriptType".
PIPELINE_SCRIPTS: dict[str, str] = {
    "scrape-readnovel-api": "jobs.scraping.novels.scrape_readnovel_api",
    "scrape-readnovel-segment": "jobs.scraping.novels.scrape_readnovel_segment",
    "scrape-chereads-work": "jobs.scraping.novels.scrape_chereads_work",
    "scrape-chereads-segment": "jobs.scraping.novels.scrape_chereads_segment",
    "scrape-opensubtitles-work": "jobs.scraping.opensubtitles.scrape_opensubtitles_work",
    "bulk-download-subtitles": "uploader.pipeline.bulk_subtitles.bulk_download_subtitles",
}
OPENSUBTITLES = {
    "api_url": given("OPENSUBTITLES_API_URL", "https://api.opensubtitles.com/api/v1"),
    "key": given("OPENSUBTITLES_API_KEY"),
    "username": given("OPENSUBTITLES_USERNAME"),
    "password": given("OPENSUBTITLES_PASSWORD"),
}

# ------------------------------------------------------------------ uploads
UPLOAD_INTERVAL_SECONDS = seconds("UPLOAD_INTERVAL_SECONDS", 12 if DEMO else 3600)
UPLOAD_MAX_RETRIES = whole("UPLOAD_MAX_RETRIES", 3, least=1, most=20)
UPLOAD_RETRY_DELAYS_SECONDS = list_of_seconds("UPLOAD_RETRY_DELAYS_SECONDS", "3,6" if DEMO else "60,300")
# Two looks at the platform, so far apart, before a request whose answer was lost is sent again.
RECONCILE_WAIT_SECONDS = seconds("RECONCILE_WAIT_SECONDS", 5 if DEMO else 60, may_be_zero=True)
# How often a platform is asked whether a video is encoded, and when a person is called.
ENCODING_POLL_SECONDS = seconds("ENCODING_POLL_SECONDS", 1 if DEMO else 15)
ENCODING_GIVE_UP_SECONDS = seconds("ENCODING_GIVE_UP_SECONDS", 24 * 3600)

# ------------------------------------------------------------------ transcoding
# Films at work and finished packages. Machines that share the work on one film share this folder, as the library.
TRANSCODE_ROOT = Path(given("TRANSCODE_ROOT", str(VAR_DIR / "transcoding"))).expanduser()
TRANSCODE_RETRY_SECONDS = seconds("TRANSCODE_RETRY_SECONDS", 5 if DEMO else 30)
# The length of a segment: how soon players change the resolution, and how many files there are.
TRANSCODE_SEGMENT_SECONDS = seconds("TRANSCODE_SEGMENT_SECONDS", 4)
# Films at least four times as long are encoded in pieces of so long, which several workers do side by side.
TRANSCODE_PIECE_SECONDS = seconds("TRANSCODE_PIECE_SECONDS", 60)

# ------------------------------------------------------------------ what goes by itself, in days; 0: never
# Completed, cancelled and handled jobs leave the list; rows that prove a delivery stay in the database.
JOBS_LISTED_DAYS = whole("JOBS_LISTED_DAYS", 90, least=0, most=36_500)
# Temporary files of failed and cancelled jobs; afterwards they cannot be retried without transcoding again.
JOBS_FILES_DAYS = whole("JOBS_FILES_DAYS", 7, least=0, most=36_500)
# Rows that have left the list and prove nothing, and the history of everything.
JOBS_KEPT_DAYS = whole("JOBS_KEPT_DAYS", 365, least=0, most=36_500)
HISTORY_KEPT_DAYS = whole("HISTORY_KEPT_DAYS", 365, least=0, most=36_500)
# Where people reach the pages, for links in messages: https://slotcast.example.org
PUBLIC_URL = given("PUBLIC_URL")

# Whose clock the times of weekly windows are of, unless a window names another zone.
SLOT_TIME_ZONE = time_zone("SLOT_TIME_ZONE", "Asia/Kolkata")

# ------------------------------------------------------------------ posts
# A post's media go to the platform so long before its moment; more for files the measured speed needs longer for.
PRE_UPLOAD_LEAD_SECONDS = seconds("PRE_UPLOAD_LEAD_SECONDS", 45 if DEMO else 3600)
# How late a post may be published; what could not be in this time ends as missed.
PUBLISH_GRACE_SECONDS = seconds("PUBLISH_GRACE_SECONDS", 300)
# So many posts of a worker process are between "will be sent" and the answer; 0: all of one second at once,
# which is sooner, and leaves more to ask the platform about after a crash.
PUBLISH_MARK_AT_ONCE = whole("PUBLISH_MARK_AT_ONCE", 0, least=0, most=10_000)
CRON_SECRET = given("CRON_SECRET")

LIBRARY_ROOT = Path(given("LIBRARY_ROOT", str(VAR_DIR / "library"))).expanduser()
MEDIA_ROOT = Path(given("MEDIA_ROOT", str(VAR_DIR / "media"))).expanduser()
MEDIA_URL = "/media/"

SANDBOX_URL = given("SANDBOX_URL", "http://127.0.0.1:8100") if DEMO else ""
DAILYMOTION = {
    "dialect": one_of("DAILYMOTION_API_DIALECT", "v2", ("v2", "partner", "public")),
    "key": given("DAILYMOTION_API_KEY"),
    "secret": given("DAILYMOTION_API_SECRET"),
    "api_url": given("DAILYMOTION_API_URL"),
    "token_url": given("DAILYMOTION_TOKEN_URL"),
    "profile_id": given("DAILYMOTION_PROFILE_ID"),
    "username": given("DAILYMOTION_USERNAME"),
    "password": given("DAILYMOTION_PASSWORD"),
}
ONLYSOCIAL = {
    "key": given("ONLYSOCIAL_API_KEY"),
    "api_url": given("ONLYSOCIAL_API_URL"),
    "workspace": given("ONLYSOCIAL_WORKSPACE"),
    "post_format": one_of("ONLYSOCIAL_POST_FORMAT", "current", ("current", "legacy")),
}
ONLYSOCIAL_UPLOADS_AT_ONCE = whole("ONLYSOCIAL_UPLOADS_AT_ONCE", 2, least=1, most=20)
# How often the social accounts of a workspace are asked for.
SOCIAL_ACCOUNTS_SECONDS = seconds("SOCIAL_ACCOUNTS_SECONDS", 3600)
# From where videos given by their address are fetched, beside *.digitaloceanspaces.com.
SPACES_ENDPOINT_URL = given("SPACES_ENDPOINT_URL")
MEDIA_HOSTS = [host for each in given("MEDIA_HOSTS").split(",") if (host := each.strip().lower())]

# ------------------------------------------------------------------ storage of packages
_BUCKET = given("SPACES_BUCKET")
STORAGE: dict[str, Any] = {
    "url": storage_url(
        "STORAGE_URL", f"s3://{_BUCKET}" if _BUCKET else (VAR_DIR.resolve() / "storage").as_uri()
    ),
    # Somebody said where packages go; else they stay in a folder under var/.
    "is_chosen": bool(given("STORAGE_URL") or _BUCKET),
    "key": given("SPACES_KEY"),
    "secret": given("SPACES_SECRET"),
    "endpoint": SPACES_ENDPOINT_URL,
    "region": given("SPACES_REGION"),
    "ca_file": given("SPACES_CA_FILE"),
    # Only ever off for a server on this machine.
    "checks_certificate": flag("SPACES_TLS_VERIFY", True),
    "cdn_endpoint": given("SPACES_CDN_ENDPOINT_ID"),
    "cdn_token": given("DO_API_TOKEN"),
}
DIGITALOCEAN_API_URL = "https://api.digitalocean.com"

# ------------------------------------------------------------------ scripts
# Two requests to one site are at least so far apart, over all workers; a site's robots.txt may ask for more.
FETCH_DELAY_SECONDS = seconds("FETCH_DELAY_SECONDS", 1, may_be_zero=True)
# How scripts introduce themselves; a site's owner should find you by it.
FETCH_USER_AGENT = given("FETCH_USER_AGENT", "Slotcast/1.0 (video catalog)")
# Hosts (host:port) of a private network that scripts may ask all the same.
FETCH_PRIVATE_HOSTS = [
    host for each in given("FETCH_PRIVATE_HOSTS").split(",") if (host := each.strip().lower())
]
if SANDBOX_URL:
    if not OPENSUBTITLES["key"]:
        OPENSUBTITLES.update(api_url=f"{SANDBOX_URL}/opensubtitles/api/v1", key="sandbox-key")
    FETCH_PRIVATE_HOSTS.append(SANDBOX_URL.rpartition("//")[2])
if SANDBOX_URL:
    ONLYSOCIAL.update(
        key="sandbox-token",
        api_url=f"{SANDBOX_URL}/onlysocial/os/api",
        workspace="00000000-0000-4000-8000-000000000001",
    )
    DAILYMOTION.update(
        dialect="v2",
        key="sandbox-key",
        secret="sandbox-secret",  # noqa: S106 - the stand-in's own
        api_url=f"{SANDBOX_URL}/dailymotion/v2",
        token_url=f"{SANDBOX_URL}/dailymotion/v2/token",
        profile_id="x1sandbox",
    )

# ------------------------------------------------------------------ people and the outside
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = time_zone("TIME_ZONE", "UTC")
FORMAT_MODULE_PATH = ["config.formats"]

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "/"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_HTTP_RESPONSE_CODE = 429
AXES_VERBOSE = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "knox.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["jobs.permissions.StaffMayLookManagersMayTouch"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["jobs.answers.BodyParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["jobs.throttling.Throttle"],
    "DEFAULT_THROTTLE_RATES": {"user": "600/min"},
    "EXCEPTION_HANDLER": "jobs.answers.error_answer",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_TTL": None,
    "TOKEN_LIMIT_PER_USER": None,
    "SECURE_HASH_ALGORITHM": "hashlib.sha512",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Slotcast",
    "DESCRIPTION": "Publish video catalogs at a controlled pace, each video once.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_PERMISSIONS": ["jobs.permissions.IsStaff"],
    # Each kind of row has states of its own.
    "ENUM_NAME_OVERRIDES": {
        "PostState": "schedules.posts.models.PostStatus",
        "PipelineJobState": "jobs.pipeline.pipeline_jobs.Status",
        "ScheduledUploadState": ["pending", "uploading", "completed", "failed", "skipped"],
        "UploadJobState": ["waiting", "active", "completed", "failed", "cancelled"],
    },
}

CSRF_FAILURE_VIEW = "config.views.csrf_failure"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Behind TLS (the usual production set-up) cookies and redirects are made strict.
HTTPS_ONLY = flag("HTTPS_ONLY", False)
if HTTPS_ONLY:
    SECURE_SSL_REDIRECT = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31536000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
if flag("BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        # The admin's Alpine.js evaluates the expressions written in its own templates.
        "script-src": ["'self'", "'unsafe-inline'", "'unsafe-eval'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        # A player hands the browser its video piece by piece, and subtitles as empty tracks that it fills.
        "media-src": ["'self'", "blob:", "data:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

IMPORT_EXPORT_USE_TRANSACTIONS = True
# Without these whoever may open a list may import into it.
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "change"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "view"
# A cell that begins with = + - @ must not run as a formula in somebody's spreadsheet.
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

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
