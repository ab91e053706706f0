"""What mypy and pyright must reject: every line that is marked, and no other. Never run."""

from queue_core import App, Depends, TaskHandle

app = App("memory://")


@app.task
async def send(user_id: int, *, subject: str = "Hello") -> float:
    """A definition."""
    return 1.0


@app.task(queue="numbers")
def crunch(numbers: list[int]) -> int:
    """A plain one."""
    return sum(numbers)


async def misuse() -> None:
    """Every line with a mark is an error."""
    await send.push()  # rejected
    await send.push(user_id="42")  # rejected
    await send.push(user=42)  # rejected
    await send.push(42, "Hi")  # rejected
    await send.using(prio=1).push(42)  # rejected
    await send.using(run_after="soon").push(42)  # rejected
    await crunch.push([1], executor="thread")  # rejected
    wrong: TaskHandle[str] = await send.push(42)  # rejected
    text: str = await (await crunch.push([1])).result()  # rejected
    await crunch([1])  # rejected
    await send.push_many([1, 2])  # rejected
    print(wrong, text)


app.task(executor="fork")  # rejected
App("memory://", middleware=[send])  # rejected
App("memory://", on_ack=print)  # rejected
Depends("session")  # rejected
app.task(max_attempts="5")  # rejected
