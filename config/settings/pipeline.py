"""Pipeline jobs: who does which type, their tools and scripts, and how they ask other people's sites."""

from config.environment import given, seconds, whole
from config.settings.installation import SANDBOX_URL

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
