"""For the tests of your own app: run what is due, run one task without a store, and ask what was pushed.

With ``App("memory://", clock=HandWoundClock())`` the time moves only when the test says so.
"""

from queue_core.testing.draining import drain, run_next
from queue_core.testing.eagerly import eager
from queue_core.testing.inline import run_inline
from queue_core.testing.pushes import PushedTask, assert_pushed, pushed

__all__ = ["PushedTask", "assert_pushed", "drain", "eager", "pushed", "run_inline", "run_next"]
