"""A process that pushes one key from many coroutines at once, under the rules that it is given, and says how many tasks that made."""

import asyncio
import json
import os
import sys
from typing import Any

from queue_core import NewTask
from queue_core.codec import JsonCodec
from queue_core.expose import QueueName, connect

AT_ONCE = 12


async def main(first: int, n: int, rules: dict[str, Any]) -> int:
    store = connect(os.environ["FAULTS_STORE"]).backend
    await store.open()

    async def push(number: int) -> bool:
        args = JsonCodec().encode({"number": number, "pause": 0.005})
        [pushed] = await store.push([NewTask(name="step", queue=QueueName("work"), args=args, key="k", **rules)])
        return bool(pushed.created)

    created = 0
    for begin in range(first, first + n, AT_ONCE):
        created += sum(await asyncio.gather(*[push(number) for number in range(begin, begin + AT_ONCE)]))
    await store.close()
    return created


if __name__ == "__main__":
    print(asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))))
