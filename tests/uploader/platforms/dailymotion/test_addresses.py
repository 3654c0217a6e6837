"""Where a file may go, and where it must not."""

import pytest

from uploader.platforms.dailymotion import Credentials
from uploader.platforms.dailymotion.addresses import Addresses
from uploader.platforms.dailymotion.v2 import V2
from uploader.platforms.errors import CredentialsRejected, PlatformError


def addresses(**options) -> Addresses:
    return Addresses.of(Credentials("v2", "key", "secret", **options), V2())


def test_the_vendor_addresses_are_the_default():
    assert addresses().api_url == "https://api.dailymotion.com/v2"
    assert addresses().token_url == "https://oauth2.dailymotion.com/v2/token"


@pytest.mark.parametrize(
    "url",
    [
        "https://upload-01.dc3.dailymotion.com/upload?uuid=1&seal=2",
        "https://dailymotion.com/upload",
        "https://UPLOAD.Dailymotion.com:443/upload",
    ],
)
def test_the_platform_s_own_hosts_are_allowed(url):
    addresses().require_upload_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "upload.dailymotion.com/upload",
        "http://upload.dailymotion.com/upload",
        "ftp://upload.dailymotion.com/upload",
        "file:///etc/passwd",
        "https://dailymotion.com.evil.example/upload",
        "https://evildailymotion.com/upload",
        "https://evil.example/dailymotion.com",
        "https://evil.example\\@dailymotion.com/",
        "https://dailymotion.com@evil.example/",
        "https://user:password@dailymotion.com/",
        "https://evil.example#.dailymotion.com",
        "https://upload.dailymotion.com\n.evil.example/",
        "https://169.254.169.254/latest",
        "https://[::1/upload",
        "https://upload.dailymotion.com:99999/",
    ],
)
def test_any_other_address_gets_no_byte(url):
    with pytest.raises(PlatformError, match="nothing was sent"):
        addresses().require_upload_url(url)


def test_the_refusal_shows_the_host_and_not_the_query():
    with pytest.raises(PlatformError) as caught:
        addresses().require_upload_url("https://evil.example/upload?seal=s3cr3t")
    assert "https://evil.example" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_an_extra_host_is_allowed_by_name_or_by_name_and_port():
    named = addresses(upload_hosts=("cdn.example", "up.example:8443"))
    named.require_upload_url("https://cdn.example:99/upload")
    named.require_upload_url("https://up.example:8443/upload")
    for url in ("https://up.example/upload", "http://cdn.example/upload"):
        with pytest.raises(PlatformError):
            named.require_upload_url(url)


def test_a_server_of_one_s_own_may_speak_plain_http_on_any_port():
    own = addresses(
        api_url="http://127.0.0.1:9000/v2",
        token_url="http://127.0.0.1:9000/token",
        upload_hosts=("storage.example",),
    )
    own.require_upload_url("http://127.0.0.1:9001/upload")
    own.require_upload_url("http://storage.example/upload")
    for url in ("http://upload.dailymotion.com/upload", "http://evil.example/upload"):
        with pytest.raises(PlatformError):
            own.require_upload_url(url)


@pytest.mark.parametrize(
    "options",
    [
        {"api_url": "http://api.dailymotion.com/v2"},
        {"token_url": "http://oauth2.dailymotion.com/v2/token"},
        {"api_url": "api.dailymotion.com"},
        {"token_url": "https://user@evil.example/"},
    ],
)
def test_a_key_is_sent_to_no_unusable_address(options):
    with pytest.raises(CredentialsRejected, match="not a usable https address"):
        addresses(**options)
