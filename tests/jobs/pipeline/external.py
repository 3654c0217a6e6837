"""An external script as the API sees it."""

from __future__ import annotations

from typing import Any

from django.test import Client

from jobs.pipeline.tokens import PipelineToken

URL = "/api/pipeline-jobs"


class Script:
    """An external script with a token of its own."""

    def __init__(self, name: str) -> None:
        self.row = PipelineToken(name=name)
        self.token = self.row.fill()
        self.row.save()
        self.client = Client(headers={"Authorization": f"Bearer {self.token}"})

    def post(self, **body: Any) -> Any:
        return self.client.post(URL, body, content_type="application/json")

    def begin(self, **body: Any) -> dict[str, Any]:
        answer = self.post(**{"jobType": "scrape", "status": "running", **body})
        assert answer.status_code == 201, answer.json()
        return answer.json()

    def patch(self, job_id: str, **body: Any) -> Any:
        return self.client.patch(f"{URL}/{job_id}", body, content_type="application/json")

    def get(self, path: str = "", **query: Any) -> Any:
        return self.client.get(f"{URL}{path}", query)
