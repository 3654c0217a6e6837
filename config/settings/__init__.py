"""Settings. Every value an operator may change comes from the environment or `.env`; see `.env.example`.

`installation` is first: it reads `.env`, which all others go by.
"""

from config.settings.installation import *  # noqa: I001
from config.settings.database import *
from config.settings.worker import *
from config.settings.delivering import *
from config.settings.platforms import *
from config.settings.pipeline import *
from config.settings.application import *
from config.settings.access import *
