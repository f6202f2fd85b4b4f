"""An S3 on loopback: moto's server in this process, with one bucket, and Beam's flags that lead there."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

BUCKET = "s3://weft"


@contextlib.contextmanager
def serve() -> Iterator[tuple[str, ...]]:
    """Beam's flags for the store, which has the bucket BUCKET."""
    import boto3  # these here: the file is read wherever a test runs
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # S3 and nothing else of AWS: to tell which service is meant would be half of what a request costs.
    server = make_server("127.0.0.1", 0, create_backend_app("s3"), True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    flags = {
        "s3_endpoint_url": f"http://127.0.0.1:{server.server_port}",
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
        server.shutdown()
        server.server_close()
        thread.join()


def environment(flags: tuple[str, ...]) -> dict[str, str]:
    """The same as other tools are told it."""
    told = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    return {
        "AWS_ENDPOINT_URL": told["s3_endpoint_url"],
        "AWS_DEFAULT_REGION": told["s3_region_name"],
        "AWS_ACCESS_KEY_ID": told["s3_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": told["s3_secret_access_key"],
    }
