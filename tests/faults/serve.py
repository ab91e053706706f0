"""A worker process of the fault tests, with leases short enough to wait for."""

import argparse
import asyncio
import logging

from tests.faults.tasks import app


async def serve() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--lease-ttl", type=float, required=True)
    parser.add_argument("--shutdown-timeout", type=float, required=True)
    options = parser.parse_args()
    async with app:
        await app.work(
            options.name,
            concurrency=options.concurrency,
            lease_ttl=options.lease_ttl,
            shutdown_timeout=options.shutdown_timeout,
        )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve())
