"""How the staff pages look: names, colours, and where the sidebar comes from. Read by the settings."""

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Slotcast",
    "SITE_HEADER": "Slotcast",
    "SITE_SUBHEADER": "Every video in its place, on time",
    "SITE_URL": "/",
    "SITE_ICON": "config.navigation.favicon",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "sizes": "any", "href": "config.navigation.favicon"}
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "ENVIRONMENT": "config.navigation.environment",
    "BORDER_RADIUS": "6px",
    "STYLES": ["config.navigation.stylesheet"],
    "SCRIPTS": ["config.navigation.dialogs"],
    "COLORS": {
        # A deep teal: white on 600 has a contrast of 5.5 to 1.
        "primary": {
            "50": "oklch(98.4% .014 180.72)",
            "100": "oklch(95.3% .051 180.80)",
            "200": "oklch(91% .096 180.43)",
            "300": "oklch(85.5% .138 181.07)",
            "400": "oklch(77.7% .152 181.91)",
            "500": "oklch(60% .118 184.70)",
            "600": "oklch(51.1% .096 186.39)",
            "700": "oklch(43.7% .078 188.22)",
            "800": "oklch(38.6% .063 188.42)",
            "900": "oklch(33% .055 190.00)",
            "950": "oklch(27.7% .046 192.52)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "command_search": False,
        "show_all_applications": False,
        "navigation": "config.navigation.navigation",
    },
}
