"""The peers of the storage benchmark: s5cmd, rclone and boto3's transfer manager, each told how to reach the server.

python -m bench.s3_peers FOLDER BUCKET PREFIX    uploads a folder by boto3's transfer manager, prints what it took
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.ground import ROOT, LeftOut

AT_ONCE = 32


@dataclass(frozen=True)
class Server:
    """Where it is. Without the file of its authority nobody checks its certificate: it is on this machine."""

    url: str
    key: str
    secret: str
    ca_file: str


@dataclass(frozen=True)
class Taken:
    seconds: float
    cpu: float


def server() -> Server:
    """The S3 server to measure on. Raises LeftOut when none is named."""
    given = os.environ.get
    if not (url := given("BENCH_S3_URL", "")):
        raise LeftOut(
            "No S3 server to upload to: set BENCH_S3_URL=https://…, BENCH_S3_KEY, BENCH_S3_SECRET, BENCH_S3_CA_FILE."
        )
    if not url.startswith("https://"):
        raise LeftOut("The benchmark “storage” wants TLS: give BENCH_S3_URL as https://….")
    return Server(
        url.rstrip("/"),
        given("BENCH_S3_KEY", ""),
        given("BENCH_S3_SECRET", ""),
        given("BENCH_S3_CA_FILE", ""),
    )


def program(name: str) -> str | None:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def timed(command: list[str], at: Server) -> Taken:
    """Run a peer to its end, its start included. Raises SystemExit when it failed."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": at.key, "AWS_SECRET_ACCESS_KEY": at.secret, "AWS_REGION": "us-east-1",
        "PYTHONPATH": str(ROOT),
        **({"SSL_CERT_FILE": at.ca_file, "BENCH_S3_CA_FILE": at.ca_file} if at.ca_file else {}),
        # s5cmd reads this name, on which rclone breaks off.
        **({"AWS_CA_BUNDLE": at.ca_file} if at.ca_file and Path(command[0]).name != "rclone" else {}),
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_THERE_TYPE": "s3", "RCLONE_CONFIG_THERE_PROVIDER": "Ceph",
        "RCLONE_CONFIG_THERE_ENV_AUTH": "true", "RCLONE_CONFIG_THERE_ENDPOINT": at.url,
        "RCLONE_NO_CHECK_CERTIFICATE": "false" if at.ca_file else "true",
        "BENCH_S3_URL": at.url,
    }  # fmt: skip
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode:
        raise SystemExit(f"{Path(command[0]).name} failed: {(ended.stderr or ended.stdout)[-400:]}")
    if command[1:3] == ["-m", "bench.s3_peers"]:
        said = json.loads(ended.stdout.splitlines()[-1])
        return Taken(said["seconds"], said["cpu"])
    return Taken(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def s5cmd_tree(at: Server, folder: Path, bucket: str, prefix: str) -> Taken:
    return timed(
        [*s5cmd(at), "--numworkers", str(AT_ONCE), "cp", f"{folder}/", f"s3://{bucket}/{prefix}/"], at
    )


def boto3_tree(at: Server, folder: Path, bucket: str, prefix: str) -> Taken:
    """Its start is not counted: it is measured in its own process."""
    return timed([sys.executable, "-m", "bench.s3_peers", str(folder), bucket, prefix], at)


def s5cmd(at: Server) -> list[str]:
    unchecked = [] if at.ca_file else ["--no-verify-ssl"]
    return [program("s5cmd") or "", "--endpoint-url", at.url, "--log", "error", *unchecked]


def s5cmd_file(at: Server, file: Path, bucket: str, prefix: str) -> Taken:
    options = ["--concurrency", "8", "--part-size", "16"]
    return timed([*s5cmd(at), "cp", *options, str(file), f"s3://{bucket}/{prefix}/s5cmd"], at)


def rclone_file(at: Server, file: Path, bucket: str, prefix: str) -> Taken:
    options = ["--s3-upload-concurrency", "8", "--s3-chunk-size", "16M", "--s3-no-check-bucket"]
    return timed(
        [program("rclone") or "", "copyto", *options, str(file), f"there:{bucket}/{prefix}/rclone"], at
    )


def main() -> None:
    import boto3
    from boto3.s3.transfer import TransferConfig, create_transfer_manager
    from botocore.config import Config

    folder, bucket, prefix = sys.argv[1:]
    own = Config(
        s3={"addressing_style": "path"}, max_pool_connections=AT_ONCE,
        request_checksum_calculation="when_required", response_checksum_validation="when_required",
    )  # fmt: skip
    client = boto3.client(
        "s3",
        endpoint_url=os.environ["BENCH_S3_URL"],
        region_name="us-east-1",
        config=own,
        verify=os.environ.get("BENCH_S3_CA_FILE") or False,
    )
    files = sorted(each for each in Path(folder).rglob("*") if each.is_file())
    wall, cpu = time.perf_counter(), time.process_time()
    with create_transfer_manager(client, TransferConfig(max_concurrency=AT_ONCE)) as manager:
        under_way = [
            manager.upload(str(file), bucket, f"{prefix}/{file.relative_to(folder).as_posix()}")
            for file in files
        ]
        for each in under_way:
            each.result()
    print(json.dumps({"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
