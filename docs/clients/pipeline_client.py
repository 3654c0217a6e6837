"""Report a script's runs to Slotcast. Needs nothing but Python 3.9; copy it beside your script.

with PipelineJob("https://slotcast.example", TOKEN, "scrape", {"scriptType": "my-crawler"}) as job:
    for number, page in enumerate(pages, 1):
        job.report(progress=100 * number // len(pages))  # raises Cancelled when an operator asked to stop
    job.output.update(total=len(pages))
"""

import contextlib
import json
import threading
import time
import urllib.request
import uuid


class Cancelled(Exception):
    """An operator asked this run to stop."""


class Refused(Exception):
    """Slotcast refuses: a token that is not valid, or a run that was given up. The message is its own."""


class PipelineJob:
    def __init__(self, url, token, job_type, input, **links):
        self.base, self.token, self.output = f"{url.rstrip('/')}/api/pipeline-jobs", token, {}
        now = f"{time.time_ns() // 1_000_000:012x}"  # a UUID of version 7 begins with its moment
        id = f"{now[:8]}-{now[8:]}-7{str(uuid.uuid4())[15:]}"
        self.announced = {"id": id, "jobType": job_type, "input": input, **links}
        self.job, self.ended, self.reported_at = {}, threading.Event(), 0.0

    def __enter__(self):
        self._send({**self.announced, "status": "running"})
        threading.Thread(target=self._keep_alive, daemon=True).start()
        return self

    def report(self, **said):
        """progress=, stage=, log=[…], workId=, editionId= …; percentages go out once a second at most."""
        if set(said) != {"progress"} or time.monotonic() - self.reported_at > 1:
            self.reported_at = time.monotonic()
            self._send(said)
        if self.job["cancelRequested"]:
            raise Cancelled("Cancelled on request")

    def __exit__(self, kind, error, trace):
        self.ended.set()
        status = "success" if error is None else "cancelled" if kind is Cancelled else "failed"
        said = {"status": status, "output": self.output, "error": error and (str(error) or kind.__name__)}
        with contextlib.suppress(*((OSError, Refused) if error else ())):
            self._send(said)  # when it cannot be told: what went wrong in the script matters more

    def _keep_alive(self):
        while not self.ended.wait(self.job["leaseSeconds"] / 4):
            with contextlib.suppress(OSError, Refused):  # the next report tells the script
                self._send({}, tries=1)

    def _send(self, said, tries=5):
        method, url = ("PATCH", f"{self.base}/{self.job['id']}") if self.job else ("POST", self.base)
        body = json.dumps({**said, "attempt": self.job.get("attempt", 0)}).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            request = urllib.request.Request(url, body, headers, method=method)
            with urllib.request.urlopen(request, timeout=15) as answer:
                self.job = json.load(answer)
                return
        except OSError as error:
            if (code := getattr(error, "code", 599)) < 500 and code != 429:
                raise Refused(f"{code}: {error.read().decode(errors='replace')}") from None
            if tries == 1:
                raise
        time.sleep(2 ** (5 - tries))  # sending a report again does no harm
        self._send(said, tries - 1)
