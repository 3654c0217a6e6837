"""The accounts and the storage that the environment defines: the default destinations."""

from typing import Any

from config.environment import flag, given, one_of, origins, seconds, storage_url, whole
from config.settings.installation import SANDBOX_URL, VAR_DIR

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
# Sites whose own players read packages straight from the bucket; doctor looks whether they can.
PLAYER_ORIGINS = origins("PLAYER_ORIGINS")
DIGITALOCEAN_API_URL = "https://api.digitalocean.com"

# The stand-ins take the place of accounts in the demo.
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
