"""The form of a destination: secrets go in and never come out, addresses are checked, templates are tried."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from uploader import metadata
from uploader.accounts import Platform
from uploader.default_destinations import POST_LIMITS, STORAGE_LIMITS
from uploader.models import Destination, Episode, Film
from uploader.platforms.onlysocial.client import WORKSPACE

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Destination]
else:
    ModelForm = forms.ModelForm

SECRETS = {
    "api_key": "API key",
    "api_secret": "API secret",
    "password": "Password",
    "cdn_token": "API token of the CDN",
}
# Which of a platform's secrets are sent to its API address; the CDN's token goes to DigitalOcean alone.
SENT_TO_ADDRESS = ("api_key", "api_secret", "password")
VARIABLES = {
    "DAILYMOTION_API_KEY": "key",
    "DAILYMOTION_API_SECRET": "secret",
    "DAILYMOTION_API_DIALECT": "dialect",
    "DAILYMOTION_PROFILE_ID": "profile_id",
    "DAILYMOTION_USERNAME": "username",
    "DAILYMOTION_PASSWORD": "password",
    "DAILYMOTION_API_URL": "api_url",
    "DAILYMOTION_TOKEN_URL": "token_url",
}


SOCIAL_VARIABLES = {
    "ONLYSOCIAL_API_KEY": "key",
    "ONLYSOCIAL_WORKSPACE": "workspace",
    "ONLYSOCIAL_API_URL": "api_url",
    "ONLYSOCIAL_POST_FORMAT": "post_format",
}

STORAGE_VARIABLES = {
    "STORAGE_URL or SPACES_BUCKET": "is_chosen",
    "SPACES_KEY": "key",
    "SPACES_SECRET": "secret",
    "SPACES_ENDPOINT_URL": "endpoint",
    "SPACES_REGION": "region",
    "SPACES_CDN_ENDPOINT_ID": "cdn_endpoint",
    "DO_API_TOKEN": "cdn_token",
}


class SecretField(forms.CharField):
    """Takes a secret; never shows one. Empty: the stored one stays."""

    def __init__(self, label: str) -> None:
        widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False)
        super().__init__(label=label, required=False, max_length=500, widget=widget)


class ClearField(forms.BooleanField):
    def __init__(self, label: str) -> None:
        super().__init__(label=f"Clear the {label}", required=False, widget=UnfoldBooleanSwitchWidget)


class AddressField(forms.URLField):
    def __init__(self, label: str) -> None:
        super().__init__(
            label=label,
            required=False,
            max_length=200,
            assume_scheme="https",
            widget=UnfoldAdminURLInputWidget,
            help_text="Leave it empty for the platform's own address",
        )


class DestinationForm(ModelForm):
    """Secrets have fields of their own names, so that no stored value ever is a form's initial one."""

    new_api_key = SecretField("API key")
    new_api_secret = SecretField("API secret")
    new_password = SecretField("Password")
    new_cdn_token = SecretField("API token of the CDN")
    clear_api_key = ClearField("API key")
    clear_api_secret = ClearField("API secret")
    clear_password = ClearField("password")
    clear_cdn_token = ClearField("API token of the CDN")
    api_url = AddressField("API address")
    token_url = AddressField("Token address")

    class Meta:
        model = Destination
        exclude: ClassVar[list[str]] = list(SECRETS)
        widgets: ClassVar[dict[str, Any]] = {
            "description_template": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None and "max_video_bytes" in self.fields:
            taken = f"{POST_LIMITS['max_video_bytes']:,}"
            self.fields["max_video_bytes"].help_text = f"Left as it is, an OnlySocial workspace gets {taken}"
        for name in SECRETS:
            field = self.fields.get(f"new_{name}")
            if field is not None:
                field.help_text = (
                    f"{state_of(self.instance, name)}. Never shown; leave it empty to keep it so."
                )

    def clean_api_url(self) -> str:
        return checked_address(self.cleaned_data["api_url"])

    def clean_token_url(self) -> str:
        return checked_address(self.cleaned_data["token_url"])

    def clean_workspace(self) -> str:
        workspace = str(self.cleaned_data["workspace"]).strip()
        if workspace and not WORKSPACE.fullmatch(workspace):
            raise ValidationError(
                "Give the identifier alone: what stands behind “/os/” in the dashboard's address."
            )
        return workspace

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk is None and data.get("platform") == Platform.ONLYSOCIAL:
            # The limits of videos do not show for it.
            data |= {**POST_LIMITS, "max_video_bytes": self.media_limit(data)}
        if self.instance.pk is None and data.get("platform") == Platform.SPACES:
            data |= STORAGE_LIMITS
        for name, label in SECRETS.items():
            if data.get(f"new_{name}") and data.get(f"clear_{name}"):
                self.add_error(f"clear_{name}", f"Either give a new {label} or clear it, not both.")
        kept = self.kept_secrets()
        for name in ("api_url", "token_url"):
            if kept and name in data and origin(data[name]) != origin(self.initial.get(name) or ""):
                self.add_error(
                    name,
                    f"The address changed: enter {' and '.join(kept)} again. "
                    "What is stored is never sent to another address than the one it was given for.",
                )
        if not self.errors:
            self.take_secrets(data)
        return data

    def media_limit(self, data: dict[str, Any]) -> int | None:
        """The largest file: as given, or what OnlySocial takes where nobody gave one."""
        limit: int | None = data.get("max_video_bytes")
        return limit if "max_video_bytes" in self.changed_data else POST_LIMITS["max_video_bytes"]

    def kept_secrets(self) -> list[str]:
        """The names of stored secrets that this form leaves as they are."""
        return [
            label
            for name, label in SECRETS.items()
            if name in SENT_TO_ADDRESS
            and getattr(self.instance, name)
            and not self.cleaned_data.get(f"new_{name}")
            and not self.cleaned_data.get(f"clear_{name}")
        ]

    def take_secrets(self, data: dict[str, Any]) -> None:
        """Put new secrets on the row before the model's own check of the whole looks at it."""
        for name in SECRETS:
            if data.get(f"clear_{name}"):
                setattr(self.instance, name, None)
            elif data.get(f"new_{name}"):
                setattr(self.instance, name, data[f"new_{name}"])


class TemplatesForm(forms.Form):
    """The two templates of a destination, to try them on a video."""

    title_template = forms.CharField(max_length=200, validators=[metadata.validate_template])
    description_template = forms.CharField(required=False, validators=[metadata.validate_template])


def state_of(destination: Destination, secret: str) -> str:
    return "Set" if getattr(destination, secret) else "Not set"


def checked_address(url: str) -> str:
    """The address, if keys may be sent there. Raises ValidationError."""
    parts = split(url)
    if not url or parts is None:
        if url:
            raise ValidationError("This is not a usable address. Give one like https://host/path.")
        return url
    if "@" in parts.netloc:
        raise ValidationError("Leave user names and passwords out of the address; use the fields for them.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValidationError(
            "Use https: keys are sent to this address. Plain http is allowed to this machine only."
        )
    if parts.query or parts.fragment:
        raise ValidationError("Give the address without “?” and “#”.")
    return url


def split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def origin(url: str) -> tuple[str, str, int | None]:
    """Whom an address belongs to: scheme, host, port; all empty for the platform's own."""
    parts = split(url)
    return (parts.scheme, parts.hostname or "", parts.port) if parts else ("", "", None)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def environment_html(row: Destination) -> SafeString:
    """The variables that hold the credentials, and which of them are set; no values.

    A destination that is not made yet may become one of any platform.
    """
    known = {
        Platform.DAILYMOTION: (VARIABLES, settings.DAILYMOTION),
        Platform.ONLYSOCIAL: (SOCIAL_VARIABLES, settings.ONLYSOCIAL),
        Platform.SPACES: (STORAGE_VARIABLES, settings.STORAGE),
    }
    chosen = list(known.values()) if row.pk is None else [known[Platform(row.platform)]]
    rows = format_html_join(
        "",
        "<li><code>{}</code> – {}</li>",
        [
            (name, "set" if given[key] else "not set")
            for variables, given in chosen
            for name, key in variables.items()
        ],
    )
    return format_html('<ul class="leading-relaxed">{}</ul>', rows)


def example_video() -> Episode | Film | None:
    """The video templates are tried on."""
    return Episode.objects.with_names().order_by("pk").first() or Film.objects.order_by("pk").first()


def tried(form: TemplatesForm) -> dict[str, Any]:
    """What the templates make of a real video, or what is wrong with them; for `_template_preview.html`."""
    video = example_video()
    if not form.is_valid():
        wrong = [
            f"{name.replace('_', ' ')}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()
        ]
        return {"video": video, "wrong": wrong}
    if video is None:
        return {"video": None, "wrong": []}
    return {
        "video": video,
        "wrong": [],
        "title": metadata.render(form.cleaned_data["title_template"], video, limit=metadata.TITLE_LIMIT),
        "description": metadata.render(
            form.cleaned_data["description_template"],
            video,
            limit=metadata.DESCRIPTION_LIMIT,
            of_film=metadata.DESCRIPTION,
        ),
    }
