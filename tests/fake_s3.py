"""An S3 on loopback: moto's server in this process, with one bucket, and Beam's flags that lead there."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

BUCKET = "s3://weft"


@contextlib.contextmanager
def serve() -> Iterator[tuple[str, ...]]:
    """Beam's flags for the store, which has the bucket BUCKET."""
    import boto3  # these two here: the file is read wherever a test runs
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    flags = {
        "s3_endpoint_url": f"http://{host}:{port}",
        "s3_region_name": "us-east-1",
        "s3_access_key_id": "a",
        "s3_secret_access_key": "b",
    }
    try:
        client = boto3.client(
            "s3",
            endpoint_url=flags["s3_endpoint_url"],
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        client.create_bucket(Bucket="weft")
        yield tuple(f"--{name}={value}" for name, value in flags.items())
    finally:
        server.stop()


def environment(flags: tuple[str, ...]) -> dict[str, str]:
    """The same as other tools are told it."""
    told = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    return {
        "AWS_ENDPOINT_URL": told["s3_endpoint_url"],
        "AWS_DEFAULT_REGION": told["s3_region_name"],
        "AWS_ACCESS_KEY_ID": told["s3_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": told["s3_secret_access_key"],
    }
