"""An app with a schedule that ticks every second, for the fault tests."""

import os

from queue_core import App, Every

app = App(os.environ.get("FAULTS_STORE", "memory://"))


@app.task(queue="ticks")
async def note() -> None:
    """Does nothing; what counts is that it was pushed."""


app.schedule(Every(seconds=1), note, missed="all")
