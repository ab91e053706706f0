"""The demo's app: what its workers can do. Everything here is real work; what fails, fails for the reason that it gives."""

import asyncio
import collections
import csv
import hashlib
import json
import os
import random
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from board.demo import files, pictures
from queue_core import INJECTED, AbortError, App, AttemptNumber, DeferredError, Retry, WorkerContext

STORE: Final = "PRINIA_DEMO_STORE"
FOLDER: Final = "PRINIA_DEMO_FILES"

app = App(os.environ.get(STORE, "sqlite:///demo.db"))
QUICK: Final = Retry(backoff="exponential", min=2, max=20)


def folder() -> Path:
    """Where the demo's files are."""
    return Path(os.environ.get(FOLDER, "demo-files"))


# --- files, pictures, words ------------------------------------------------------------------------------


@app.task(queue="files", timeout=30, retry=QUICK, max_attempts=3)
async def checksum(path: str, ctx: WorkerContext = INJECTED) -> dict[str, str | int]:
    """The SHA-256 of a file, a megabyte at a time, saying how far it is."""
    file, digest = folder() / path, hashlib.sha256()
    total = file.stat().st_size
    with file.open("rb") as stream:
        while part := stream.read(files.MEGABYTE):
            digest.update(part)
            await ctx.progress(stream.tell() / total, f"{stream.tell() // files.MEGABYTE} MB read")
            await asyncio.sleep(0.15)  # leave room for the neighbours, and for the eye
    return {"bytes": total, "sha256": digest.hexdigest()}


@app.task(queue="images", executor="process", timeout=20)
def thumbnail(number: int, width: int = 60) -> dict[str, str | int]:
    """Scale a picture down and write it as PNG; in a process of its own, because it keeps a core busy."""
    small = pictures.shrink(pictures.read_ppm(files.picture_file(folder(), number)), width)
    target = folder() / f"thumbnail-{number:02}.png"
    return {"file": target.name, "width": small.width, "height": small.height, "bytes": pictures.write_png(target, small)}


@app.task(queue="text", timeout=10)
def count_words(path: str) -> dict[str, int]:
    """The ten most frequent words of a text; a plain function, so it runs in a thread."""
    words = re.findall(r"\w+", (folder() / path).read_text().lower())
    return dict(collections.Counter(words).most_common(10))


# --- an order: each step pushes the next -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody bought."""

    number: int
    item: str
    amount: int


@app.task(queue="orders", priority=10, retry=QUICK)
async def charge(order: Order) -> str:
    """Take the money; one in eight cards is slow to answer at first."""
    await asyncio.sleep(random.uniform(0.1, 0.4))
    if random.random() < 0.12:
        raise ConnectionError(f"the card network did not answer for order {order.number}")
    _note(order, "charged")
    await reserve.using(key=f"reserve-{order.number}", tags=[f"order-{order.number}"]).push(order=order)
    return f"{order.amount} cents charged"


@app.task(queue="orders", priority=10, retry=QUICK)
async def reserve(order: Order) -> str:
    """Take it from the shelf."""
    await asyncio.sleep(random.uniform(0.05, 0.2))
    _note(order, "reserved")
    await dispatch.using(key=f"dispatch-{order.number}", run_after=1.5, tags=[f"order-{order.number}"]).push(order=order)
    return f"{order.item} reserved"


@app.task(queue="orders")
async def dispatch(order: Order) -> str:
    """Hand it to the carrier and tell the customer."""
    await asyncio.sleep(random.uniform(0.1, 0.3))
    _note(order, "dispatched")
    await send_mail.using(key=f"mail-{order.number}", tags=[f"order-{order.number}"]).push(
        to=f"customer{order.number}@example.com", subject=f"Your {order.item} is on its way"
    )
    return "with the carrier"


@app.task(queue="mail", retry=QUICK)
async def send_mail(to: str, subject: str) -> str:
    """Write a letter into the outbox."""
    await asyncio.sleep(random.uniform(0.05, 0.25))
    with (folder() / "outbox.mbox").open("a") as outbox:
        outbox.write(f"To: {to}\nSubject: {subject}\n\n")
    return f"to {to}"


def _note(order: Order, event: str) -> None:
    with (folder() / "orders.jsonl").open("a") as book:
        book.write(json.dumps({"order": order.number, "event": event, "at": time.time()}) + "\n")


# --- ETL: one task fans out, the last one waits for all ----------------------------------------------------


@app.task(queue="etl")
async def extract(batch: int, parts: int = 5) -> int:
    """Make the raw files of a batch, push a task for each, and one that puts the answers together."""
    (folder() / "etl").mkdir(exist_ok=True)
    for part in range(parts):
        files.make_sales(_part(batch, part), rows=2_000, seed=batch * 100 + part)
    await transform.push_many({"batch": batch, "part": part} for part in range(parts))
    await load.using(run_after=1).push(batch=batch, parts=parts)
    return parts


@app.task(queue="etl", timeout=15)
def transform(batch: int, part: int) -> dict[str, int]:
    """Sum the sales of one file by region."""
    totals: collections.Counter[str] = collections.Counter()
    with _part(batch, part).open(newline="") as raw:
        for row in csv.DictReader(raw):
            totals[row["region"]] += int(row["amount"])
    time.sleep(random.uniform(0.1, 0.5))
    _part(batch, part).with_suffix(".json").write_text(json.dumps(totals))
    return dict(totals)


@app.task(queue="etl", max_attempts=3)
async def load(batch: int, parts: int) -> dict[str, int]:
    """Add the parts up. While one is missing it defers itself, which uses up no attempt."""
    done = [_part(batch, part).with_suffix(".json") for part in range(parts)]
    if not all(path.exists() for path in done):
        raise DeferredError("not all parts are there yet", delay=1)
    totals: collections.Counter[str] = collections.Counter()
    for path in done:
        totals.update(json.loads(path.read_text()))
        path.unlink()
        path.with_suffix(".csv").unlink()
    return dict(totals)


def _part(batch: int, part: int) -> Path:
    return folder() / "etl" / f"sales-{batch}-{part}.csv"


# --- every few seconds: a task that pushes its successor ---------------------------------------------------


@app.task(queue="reports", keep_result=True)
async def take_stock(tick: int, every: float = 20.0) -> dict[str, int]:
    """Count the demo's files, then push the next tick; its key makes sure that there is only one."""
    await take_stock.using(key=f"stock-{tick + 1}", run_after=every).push(tick=tick + 1, every=every)
    there = [path for path in folder().rglob("*") if path.is_file()]
    return {"files": len(there), "bytes": sum(path.stat().st_size for path in there)}


@app.task(queue="newsletter")
async def send_newsletter(issue: int) -> str:
    """Its queue is paused when the demo starts: resume it on the board."""
    await asyncio.sleep(0.3)
    return f"issue {issue} sent"


# --- honest failures ---------------------------------------------------------------------------------------


@app.task(queue="files", max_attempts=3, retry=QUICK)
async def import_invoice(path: str) -> int:
    """The file was never there."""
    return len((folder() / path).read_bytes())


@app.task(queue="mail", max_attempts=5, retry=QUICK)
async def fetch_rates(currency: str, attempt: AttemptNumber = INJECTED) -> float:
    """The service is down twice, then answers."""
    await asyncio.sleep(0.2)
    if attempt < 3:
        raise ConnectionError(f"the exchange for {currency} answered 503 Service Unavailable")
    return round(random.uniform(0.5, 1.5), 4)


@app.task(queue="reports", timeout=2, max_attempts=2, retry=QUICK)
async def render_report(month: str) -> str:
    """Takes longer than its time limit."""
    await asyncio.sleep(60)
    return month


@app.task(queue="orders")
async def refund(order: int, amount: int) -> str:
    """Refuses at once what no second attempt can mend."""
    if amount > 50_000:
        raise AbortError(f"a refund of {amount} cents for order {order} needs a person")
    return f"{amount} cents refunded"


@app.task(queue="poison", max_attempts=10)
async def poison() -> None:
    """Ends the whole worker process, as a crash in a C library would. Pushed with ``prinia demo --poison`` only."""
    os._exit(66)
