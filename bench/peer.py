"""Procrastinate as it is documented, with a task that does nothing: the peer of the benchmark `jobs`.

python -m bench.peer CONNINFO CONCURRENCY   one worker; starts at a line on its input, ends when nothing is left
python -m bench.peer CONNINFO listen        one worker that waits for tasks until it is stopped
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import procrastinate


def make_app(connector: procrastinate.BaseConnector) -> procrastinate.App:
    app = procrastinate.App(connector=connector)

    @app.task(name="noop", queue="noop")
    def noop() -> None:
        pass

    return app


async def work(conninfo: str, mode: str) -> None:
    app = make_app(procrastinate.PsycopgConnector(conninfo=conninfo))
    async with app.open_async():
        print("ready", flush=True)
        options: dict[str, Any] = {"queues": ["noop"], "install_signal_handlers": False}
        if mode == "listen":
            await app.run_worker_async(concurrency=1, **options)
        else:
            await asyncio.to_thread(sys.stdin.readline)
            await app.run_worker_async(concurrency=int(mode), wait=False, **options)


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    asyncio.run(work(*sys.argv[1:]))
