"""``prinia schedules``: look at schedules, run, pause, resume and delete them."""

import argparse
import sys
from datetime import datetime
from typing import Final

import msgspec

from queue_core.cli.failure import OK, CommandFailed
from queue_core.cli.output import readable, show_json, task_json
from queue_core.cli.store import actor, with_store
from queue_core.cli.table import Column, show
from queue_core.cli.words import harmless, relative, stamp
from queue_core.expose import Expose, ScheduleDetail, ScheduleInfo

COLUMNS: Final = (
    Column("SCHEDULE", gives=True),
    Column("WHEN", gives=True),
    Column("TASK", gives=True),
    Column("QUEUE", gives=True),
    Column("LAST", right=True),
    Column("NEXT", right=True),
    Column("PAUSED", gives=True),
)
MOST: Final = 1_000
SHOWN_TICKS: Final = 10


def show_list(args: argparse.Namespace) -> int:
    """``prinia schedules list``."""

    async def ask(store: Expose) -> int:
        if args.json:
            show_json(await store.list_schedules(limit=sys.maxsize))
        else:
            _print(await store.list_schedules(limit=MOST + 1), await store.now())
        return OK

    return with_store(args, ask, needs="schedules")


def show_one(args: argparse.Namespace) -> int:
    """``prinia schedules show``."""

    async def ask(store: Expose) -> int:
        schedule = await store.fetch_schedule(args.name)
        if schedule is None:
            raise CommandFailed(f"There is no schedule {args.name!r}. prinia schedules list shows all of them.")
        if args.json:
            show_json(msgspec.to_builtins(schedule) | {"args": readable(store, schedule.codec, schedule.args)})
        else:
            _print_one(store, schedule, await store.now())
        return OK

    return with_store(args, ask, needs="schedules")


def act(args: argparse.Namespace) -> int:
    """``prinia schedules pause`` and ``resume``."""

    async def ask(store: Expose) -> int:
        verb = {"pause": store.pause_schedule, "resume": store.resume_schedule}[args.action]
        schedule = await verb(args.name, actor=actor(args))
        show_json(schedule) if args.json else print(harmless(_sentence(schedule, await store.now())))
        return OK

    return with_store(args, ask, needs="schedules")


def run(args: argparse.Namespace) -> int:
    """``prinia schedules run``."""

    async def ask(store: Expose) -> int:
        task = (await store.run_schedule(args.name, actor=actor(args))).task
        show_json(task_json(store, task)) if args.json else print(harmless(f"{task.id} pushed: {task.name} in {task.queue}."))
        return OK

    return with_store(args, ask, needs="schedules")


def delete(args: argparse.Namespace) -> int:
    """``prinia schedules delete``."""

    async def ask(store: Expose) -> int:
        await store.delete_schedule(args.name, actor=actor(args))
        show_json({"deleted": args.name}) if args.json else print(
            harmless(f"{args.name} is deleted. A worker that starts with an app that declares it stores it anew.")
        )
        return OK

    return with_store(args, ask, needs="schedules")


def _print(schedules: list[ScheduleInfo], now: datetime) -> None:
    if not schedules:
        print("No schedule yet: app.schedule(…) declares one, and a worker of the app stores it when it starts.")
        return
    show(COLUMNS, [_row(schedule, now) for schedule in schedules[:MOST]])
    if len(schedules) > MOST:
        print(f"\nThe first {MOST:,} by name are shown; --json gives all.")


def _row(schedule: ScheduleInfo, now: datetime) -> tuple[str, ...]:
    following = relative(schedule.next_ticks[0], now) if schedule.next_ticks else "–"
    last = relative(schedule.last_tick, now)
    return (schedule.name, schedule.english, schedule.task, schedule.queue, last, following, _pause(schedule, now))


def _pause(schedule: ScheduleInfo, now: datetime) -> str:
    if schedule.pause is None:
        return ""
    why = f": {schedule.pause.reason}" if schedule.pause.reason else ""
    return f"by {schedule.pause.by} {relative(schedule.pause.since, now)}{why}"


def _sentence(schedule: ScheduleInfo, now: datetime) -> str:
    if schedule.pause:
        return f"{schedule.name} is paused, {_pause(schedule, now)}."
    return (
        f"{schedule.name} is active, its next tick {relative(schedule.next_ticks[0], now)}." if schedule.next_ticks else f"{schedule.name} has ended."
    )


def _print_one(store: Expose, schedule: ScheduleDetail, now: datetime) -> None:
    for title, value in _facts(schedule, now):
        print(f"{title:<10} {harmless(value)}")
    arguments = msgspec.json.format(msgspec.json.encode(readable(store, schedule.codec, schedule.args)), indent=2).decode()
    print("\nArguments\n" + "\n".join(f"  {line}" for line in harmless(arguments, lines=True).splitlines()))
    if schedule.next_ticks:
        print("\nNext ticks\n" + "\n".join(f"  {stamp(tick)} ({relative(tick, now)})" for tick in schedule.next_ticks))
    if schedule.ticks:
        print("\nLast ticks\n" + "\n".join(f"  {stamp(tick.at)}  task {harmless(tick.task)}" for tick in schedule.ticks[:SHOWN_TICKS]))


def _facts(schedule: ScheduleDetail, now: datetime) -> list[tuple[str, str]]:
    optional = {"Paused": _pause(schedule, now), "Options": msgspec.json.encode(schedule.options).decode() if schedule.options else ""}
    return [
        ("Schedule", schedule.name),
        ("When", schedule.english),
        ("Written", schedule.expression),
        ("Task", schedule.task),
        ("Queue", schedule.queue),
        ("Missed", schedule.missed),
        ("Declared", f"{stamp(schedule.declared_at)} ({relative(schedule.declared_at, now)})"),
        *((title, value) for title, value in optional.items() if value),
    ]
