"""`python -m sandbox`: run the stand-ins as a process of their own."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sandbox.certificates import Certificate, make_certificate
from sandbox.engine import Engine, Options, StateError
from sandbox.platform import SettingError


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    certificate = make_certificate(options.host, options.public_host) if options.tls else None
    given = {"encode_seconds": options.encode_seconds, "byte_rate": options.byte_rate}
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        engine = Engine(
            Options(
                host=options.host,
                port=options.port,
                upload_port=options.upload_port,
                public_host=options.public_host,
                state_path=options.state,
                tls=certificate.context if certificate else None,
                settings=settings,
            )
        )
        asyncio.run(_serve(engine, certificate))
    except (OSError, SettingError, StateError) as exc:
        print(f"The sandbox cannot start: {exc}", file=sys.stderr)
        return 1
    finally:
        if certificate:
            certificate.remove()
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m sandbox", description="Stand-ins for the video platforms.")
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument("--port", type=int, default=8100, help="API, control and page; 0 takes a free one")
    made.add_argument("--upload-port", type=int, default=8101, help="upload host; 0 takes a free one")
    made.add_argument("--public-host", help="host name in the urls given out, if it is not --host")
    made.add_argument("--encode-seconds", type=float, help="from created to published (default: 3)")
    made.add_argument("--byte-rate", type=float, help="bytes a second of each upload (default: unlimited)")
    made.add_argument("--state", type=Path, help="file that keeps videos and settings over a restart")
    made.add_argument("--tls", action="store_true", help="speak https with a certificate made at the start")
    return made


async def _serve(engine: Engine, certificate: Certificate | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    try:
        await engine.start()
        ready = {**engine.urls(), "ca_path": str(certificate.ca_path) if certificate else None}
        print(json.dumps(ready), flush=True)
        await stopping.wait()
    finally:
        await engine.stop()


if __name__ == "__main__":
    sys.exit(main())
