"""Report a script's runs to Slotcast. Needs nothing but Python 3.9; copy it beside your script.

with PipelineJob("https://slotcast.example", TOKEN, "scrape", {"scriptType": "my-crawler"}) as job:
    for number, page in enumerate(pages, 1):
        job.report(progress=100 * number // len(pages))  # raises Cancelled when an operator asked to stop
    job.output.update(total=len(pages))
"""

import json
import threading
import time
import urllib.error
import urllib.request
import uuid


class Cancelled(Exception):
    """An operator asked this run to stop."""


class PipelineJob:
    def __init__(self, url, token, job_type, input, **links):
        self.base, self.token, self.output = f"{url.rstrip('/')}/api/pipeline-jobs", token, {}
        self.announced = {"id": str(uuid.uuid4()), "jobType": job_type, "input": input, **links}
        self.job, self.ended, self.reported_at = {}, threading.Event(), 0.0

    def __enter__(self):
        self.job = self._send("POST", self.base, {**self.announced, "status": "running"})
        threading.Thread(target=self._keep_alive, daemon=True).start()
        return self

    def report(self, **said):
        """progress=, stage=, log=[…], workId=, editionId= …; percentages go out once a second at most."""
        if set(said) != {"progress"} or time.monotonic() - self.reported_at > 1:
            self.reported_at = time.monotonic()
            self._patch(said)
        if self.job["cancelRequested"]:
            raise Cancelled

    def __exit__(self, kind, error, trace):
        self.ended.set()
        if error is None:
            self._patch({"status": "success", "output": self.output})
        else:
            status = "cancelled" if kind is Cancelled else "failed"
            self._patch({"status": status, "error": str(error) or kind.__name__})

    def _keep_alive(self):
        while not self.ended.wait(self.job["leaseSeconds"] / 4):
            self._patch({})

    def _patch(self, said):
        body = {**said, "attempt": self.job["attempt"]}
        self.job = self._send("PATCH", f"{self.base}/{self.job['id']}", body)

    def _send(self, method, url, body, tries=5):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return json.load(answer)
        except OSError as error:  # sending a report again does no harm
            if tries == 1 or (isinstance(error, urllib.error.HTTPError) and error.code < 500):
                raise
        time.sleep(2 ** (5 - tries))
        return self._send(method, url, body, tries - 1)
