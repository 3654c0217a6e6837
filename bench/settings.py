"""The product's settings, and one lane with one job model that does nothing."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS, LANES, Q_CLUSTER

ROOT_URLCONF = "bench.noop.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "bench.noop"]
LANES = {
    **LANES,
    "noop": {"workers": 4, "timeout": 300},
    "pipeline": {**LANES["pipeline"], "workers": 4},
}
PIPELINE_HANDLERS = {"clean": "bench.noop.handling.nothing"}
Q_CLUSTER = {
    **Q_CLUSTER,
    "ALT_CLUSTERS": {
        **Q_CLUSTER["ALT_CLUSTERS"],
        "noop": {"workers": 4, "queue_limit": 4, "timeout": 300, "retry": 900},
        "pipeline": {**Q_CLUSTER["ALT_CLUSTERS"]["pipeline"], "workers": 4, "queue_limit": 4},
    },
}
