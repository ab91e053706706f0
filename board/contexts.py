"""Everything that templates may see: one frozen dataclass per page and per fragment, with values already decided.

A template shows; it does not decide. A page template sees ``shell``, ``page`` and the function ``part`` (and ``parts``), which place fragments.
A fragment template sees one variable, ``it``. Times are aware datetimes in UTC, durations are seconds, hrefs begin at the host's root.
"""

from dataclasses import dataclass
from datetime import datetime

# --- shared pieces -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A word that leads somewhere."""

    label: str
    """The text."""
    href: str | None
    """Where it leads; None: show the text alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A POST form with one button. Present only if the state and the permissions allow it."""

    action: str
    """``retry``, ``kill``, ``run-now``, ``delete``, ``pause`` or ``resume``: for icons and styles."""
    label: str
    """The verb on the button: ``Retry``."""
    title: str
    """What it does, in a sentence."""
    url: str
    """The form's action."""
    fields: tuple[tuple[str, str], ...]
    """Hidden fields, in order: name and value. ``back`` is among them."""
    danger: bool
    """Whether it destroys something."""
    confirms: bool
    """Whether the answer to the first POST is a confirmation, not the deed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One coloured part of a bar."""

    tone: str
    """``done``, ``failed`` or ``killed``."""
    y: float
    """Its top, in percent."""
    height: float
    """Its height, in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What happened in one span of time."""

    x: float
    """Its left edge, in percent."""
    width: float
    """Its width."""
    segments: tuple[Segment, ...]
    """From the bottom up; without those of height 0."""
    title: str
    """For the ``<title>``: ``12:04 · 120 done, 3 failed, 0 killed``."""
    partial: bool
    """Whether its time is not over yet: drawn dashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A label on the time axis."""

    x: float
    """Where, in percent."""
    label: str
    """``12:00`` (UTC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A stacked bar chart as numbers for an SVG, in percent of its width and height."""

    bars: tuple[Bar, ...]
    """Oldest first."""
    ticks: tuple[Tick, ...]
    """Labels under it."""
    top: int
    """The number at the upper edge."""
    summary: str
    """The whole chart in words, for those who do not see it."""
    empty: bool
    """Whether nothing happened in all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """A small line of finished tasks a minute over the last hour."""

    width: float
    """Of the viewBox."""
    height: float
    """Of the viewBox."""
    line: str
    """The ``d`` of the line's path."""
    area: str
    """The ``d`` of the filled path under it."""
    failures: str
    """The ``d`` of the path of failed and killed ones; empty when there were none."""
    summary: str
    """The same in words."""
    empty: bool
    """Whether nothing happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """How long something took, in seconds; None where nothing was measured. Accurate to a bucket that is half as wide as its start."""

    p50: float | None
    """Half took at most this."""
    p95: float | None
    """95 of 100 took at most this."""
    p99: float | None
    """99 of 100 took at most this."""
    count: int
    """How many were measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCount:
    """How many tasks are in one state."""

    status: str
    """The state's name in lower case, for ``data-status``; ``all`` for the sum."""
    label: str
    """The state's name for people."""
    count: int
    """Exact."""
    href: str
    """The list of these tasks."""
    current: bool
    """Whether the list on this page shows exactly these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """Arguments or a result, made safe to show."""

    text: str
    """Indented JSON if it could be decoded, else the bytes as escaped text. Control characters are shown as symbols (␀)."""
    kind: str
    """``json``, or ``bytes`` when it could not be decoded."""
    codec: str
    """How it is stored."""
    size: int
    """Stored bytes."""
    cut: bool
    """Whether ``text`` is only the beginning."""
    raw_href: str
    """The whole as plain text."""
    problem: str | None
    """Why it could not be decoded, in a sentence."""


# --- the shell around each page ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """One entry of the main navigation."""

    name: str
    """``overview``, ``queues``, ``tasks`` or ``workers``: for icons and shortcuts."""
    label: str
    """Its text."""
    href: str
    """Its page."""
    current: bool
    """Whether this page is it or belongs to it."""
    count: int | None = None
    """How many are behind it: queues, unfinished tasks, living workers. None: not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NavPart:
    """The main navigation with its numbers. Fragment ``layouts/_nav.html``, id ``board-nav``, on every live page."""

    items: tuple[NavItem, ...]
    """Its entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLink:
    """One of the stores that this board shows."""

    name: str
    """Its name on this board; empty when it is the only one."""
    kind: str
    """``SQLite``."""
    location: str
    """``tasks.db``, or ``db.example.com:5432/shop``."""
    href: str
    """Its overview."""
    current: bool
    """Whether this page shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What an action did, or why it did not. Fragment ``layouts/_notice.html``; root ``<… id="{dom_id}" data-into="notices">``."""

    dom_id: str
    """Its id, never used twice."""
    tone: str
    """``good``, ``warn`` or ``bad``."""
    text: str
    """A sentence."""
    details: tuple[str, ...]
    """More sentences: what was skipped and why. At most ten and a last one that counts the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What surrounds every page. Variable ``shell``; never seen by fragments."""

    title: str
    """The board's title, as its host named it."""
    environment: str | None
    """``production``: shown as a badge."""
    store: StoreLink | None
    """The store that this page shows; None on an error page outside of any."""
    stores: tuple[StoreLink, ...]
    """All stores when there are several, else empty."""
    nav: tuple[NavItem, ...]
    """The main navigation."""
    live_url: str | None
    """The page's event stream; None for pages that do not change."""
    rows_url: str | None
    """Where rows on the screen are asked for again: ``?id=…&id=…``."""
    notices: tuple[Notice, ...]
    """What the action did that led here (pages without JavaScript)."""
    can_act: bool
    """Whether the reader may do anything but look."""
    view_only: str | None
    """If not: why, and what would change it, in a sentence."""
    actor: str
    """Under which name the reader's actions are recorded."""
    static_root: str
    """Where the static files are; changes with their content."""
    version: str
    """Prinia's version."""

    def static(self, path: str) -> str:
        """The address of a static file: ``shell.static('css/app.css')``."""
        return f"{self.static_root}/{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPart:
    """Whether what is shown can be trusted. Fragment ``layouts/_status.html``, id ``board-status``, on every live page; mostly empty."""

    level: str
    """``ok`` (show nothing), ``stale`` (the store cannot be read) or ``broken`` (this view cannot be shown)."""
    text: str
    """A sentence; empty when ok."""
    since: datetime | None
    """Since when."""
    seen: datetime | None
    """From when the data shown is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPart:
    """What the board itself costs. Fragment ``layouts/_cost.html``, id ``board-cost``, in the footer of every live page."""

    viewers: int
    """Open pages."""
    views: int
    """Different views among them, each asked and rendered once for all."""
    renders_per_minute: int
    """How often views were asked and rendered in the last minute."""
    busy: float
    """Share of the last minute spent on it, 0 to 1."""


# --- lists of tasks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One task in a list. Fragment ``tasks/_task.html``: ``<tr id="{dom_id}" data-id="{id}" data-order="{seq}" data-into="tasks-rows">``."""

    id: str
    """Its whole id."""
    dom_id: str
    """``task-…``."""
    short_id: str
    """The part of the id that tells neighbours apart."""
    seq: int
    """Its place in the order of the list."""
    href: str
    """Its page."""
    name: str
    """The name of its handler."""
    queue: Link
    """Its queue."""
    status: str
    """Its state in lower case, for ``data-status``."""
    label: str
    """Its state for people: also ``Scheduled``, ``Retrying``, ``Orphaned`` and ``Stopping``."""
    reason: str | None
    """For Killed: why, ``exhausted``."""
    priority: int
    """Higher runs first."""
    created_at: datetime
    """When it was pushed."""
    due_at: datetime | None
    """For tasks that wait for a time to come: that time."""
    waiting_since: datetime | None
    """For tasks that are due and wait for a worker: since when."""
    running_since: datetime | None
    """For running tasks: since when."""
    finished_at: datetime | None
    """When it reached its final state."""
    ran_for: float | None
    """Seconds that its last finished attempt took."""
    attempts: int
    """Attempts started."""
    max_attempts: int
    """Attempts allowed."""
    worker: Link | None
    """Who holds it, or held it last."""
    error: str | None
    """One line about its last failure."""
    preview: str | None
    """Its arguments in one line, at most 120 characters; None when there are none, or none that may be shown."""
    progress: int | None
    """Percent, as its handler reported."""
    progress_note: str | None
    """A word on it."""
    tags: tuple[str, ...]
    """Words that its producer gave it."""
    buttons: tuple[Button, ...]
    """What may be done to it now."""
    selectable: bool
    """Whether it may be ticked: the reader may act at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneRow:
    """A task that was deleted. Fragment ``tasks/_gone.html``: ``<tr id="{dom_id}" data-gone>``."""

    id: str
    """Its id."""
    dom_id: str
    """``task-…``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipsPart:
    """States with numbers above a list. Fragment ``tasks/_chips.html``, id ``tasks-chips``."""

    chips: tuple[StateCount, ...]
    """All first, then each state."""
    scope: str
    """What the numbers count, in words: ``all queues`` or ``queue mail``. Name and text filters do not change them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyPart:
    """What stands in place of rows. Fragment ``tasks/_empty.html``, id ``tasks-empty``; its root has ``hidden`` unless ``shown``."""

    shown: bool
    """Whether there are no rows."""
    filtered: bool
    """Whether there might be tasks without the filter (else: nothing was pushed yet)."""
    text: str
    """A sentence."""
    clear_href: str | None
    """The list without its filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerPart:
    """Links to older and newer pages. Fragment ``tasks/_pager.html``, id ``tasks-pager``."""

    newer_href: str | None
    """The page before this; None at the newest end."""
    older_href: str | None
    """The next, older page; None at the end."""
    newest_href: str | None
    """The first page; None on it."""
    note: str | None
    """``Searched the newest 100,000 tasks.``"""
    note_href: str | None
    """Where the search goes on; None when there is nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One entry of a ``<select>``."""

    value: str
    """What is sent."""
    label: str
    """What is shown."""
    selected: bool
    """Whether it is chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterForm:
    """The GET form above a list; fields ``status`` (may repeat), ``queue``, ``name``, ``text``."""

    action: str
    """Where it is sent."""
    queues: tuple[Choice, ...]
    """``queue``: any, then each. Empty on a queue's own page."""
    statuses: tuple[Choice, ...]
    """``status``: each state."""
    name: str
    """``name``: a task name, exactly."""
    text: str
    """``text``: in arguments, error, id, key or tags."""
    clear_href: str | None
    """The same list without filters; None when there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAction:
    """An action on the ticked rows: a button with ``formaction="{url}"`` in the form around the list."""

    action: str
    """``retry``, ``kill``, ``run-now`` or ``delete``."""
    label: str
    """``Retry``."""
    url: str
    """Where the form with the ticked ``id`` fields is sent."""
    danger: bool
    """Whether it destroys something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskList:
    """A list of tasks on a page: what is around its rows. The rows are ``parts("tasks/_task.html")``; chips, empty and pager are fragments."""

    form: FilterForm
    """The filter."""
    bulk: tuple[BulkAction, ...]
    """What may be done to ticked rows; empty when the reader may only look."""
    back: str
    """Value of the hidden field ``back`` of the form around the list."""
    limit: int
    """Rows a page: ``data-limit``."""
    live: bool
    """Whether new rows may appear at its top (it is the newest page): ``data-live-list``."""
    show_queue: bool
    """Whether the queue column is of interest."""


# --- overview ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """``overview/index.html``. Everything on it is a fragment."""

    heading: str
    """``Overview``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One thing that a person should know."""

    level: str
    """``warn`` or ``bad``."""
    text: str
    """A sentence."""
    href: str | None
    """Where to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPart:
    """Is anything wrong now? Fragment ``overview/_health.html``, id ``overview-health``."""

    level: str
    """``good``, ``warn``, ``bad``, or ``new`` when nothing was ever pushed."""
    sentence: str
    """The answer."""
    concerns: tuple[Concern, ...]
    """What is wrong, worst first; empty when nothing is."""
    last_claim: datetime | None
    """When a worker last took a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsPart:
    """Tasks by state. Fragment ``overview/_counts.html``, id ``overview-counts``; on a queue's page ``queues/_counts.html``, id ``queue-counts``."""

    states: tuple[StateCount, ...]
    """Each state, in the order of a task's life."""
    total: int
    """All tasks stored; exact."""
    scheduled: int | None
    """Of the Pending: how many wait for a later time. None where it is not asked."""
    scheduled_capped: bool
    """Whether ``scheduled`` means as many or more: show ``10,000+``."""
    oldest_due: datetime | None
    """Since when the longest waiting due task waits."""
    oldest_queue: Link | None
    """In which queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputPart:
    """The last hour. Fragment ``overview/_throughput.html``, id ``overview-throughput``; on a queue's page ``queues/_throughput.html``,
    id ``queue-throughput``.
    """

    chart: Chart
    """A bar a minute, stacked done, failed, killed."""
    pushed: int
    """Tasks pushed in it."""
    done: int
    """Tasks done in it."""
    failed: int
    """Attempts failed in it that another follows."""
    killed: int
    """Tasks killed in it."""
    per_minute: float
    """Done tasks a minute, over the last five full minutes."""
    run: Percentiles
    """How long attempts ran."""
    wait: Percentiles
    """How long tasks had been due when they started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One queue in a list."""

    name: str
    """Its name."""
    dom_id: str
    """``queue-row-…``."""
    href: str
    """Its page."""
    states: tuple[StateCount, ...]
    """Its tasks by state, with links to the filtered list."""
    waiting: int
    """Pending and Failed together."""
    scheduled: int
    """Of the Pending: for a later time."""
    scheduled_capped: bool
    """Whether ``scheduled`` means as many or more."""
    oldest_due: datetime | None
    """Since when the longest waiting due task waits."""
    spark: Spark
    """Its last hour."""
    workers: int
    """Living workers that serve it."""
    slots: int
    """How many tasks they can run at once."""
    busy: float | None
    """Share of the slots in use by this queue, 0 to 1; None without slots."""
    paused_by: str | None
    """Who paused it; None when it is active."""
    paused_at: datetime | None
    """Since when."""
    paused_why: str | None
    """For what reason."""
    problem: str | None
    """A sentence when tasks wait and nobody takes them: ``No live worker serves this queue.``"""
    buttons: tuple[Button, ...]
    """Pause or Resume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyQueuesPart:
    """The queues with most to do. Fragment ``overview/_queues.html``, id ``overview-queues``."""

    queues: tuple[QueueRow, ...]
    """At most eight, most live tasks first."""
    more: int
    """How many more queues there are."""
    href: str
    """All queues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """One process life of a worker in a list."""

    name: str
    """Its name."""
    dom_id: str
    """``worker-row-…``."""
    href: str
    """Its page."""
    boot: str
    """The id of this process life."""
    state: str
    """``running``, ``paused``, ``stopping``, ``stopped``, ``lost`` or ``silent`` (no heartbeat within its lease): for ``data-state``."""
    label: str
    """The same for people."""
    live: bool
    """Whether it is alive as far as the store knows."""
    level: str
    """Freshness of its heartbeat: ``fresh``, ``late`` (half its lease is gone), ``silent`` (all of it), ``ended``."""
    last_heartbeat: datetime
    """When it was last heard of."""
    started_at: datetime
    """When it started."""
    stopped_at: datetime | None
    """When it ended."""
    queues: tuple[Link, ...]
    """What it serves."""
    running: int
    """Slots in use in it, as it last said."""
    slots: int
    """Tasks it can run at once."""
    busy: float
    """``running`` by ``slots``, 0 to 1."""
    host: str
    """Its machine."""
    pid: int
    """Its process there."""
    version: str
    """Of Prinia."""
    rss: int | None
    """Resident memory in bytes."""
    cpu: float | None
    """Share of one core: 0.5 is half a core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewWorkersPart:
    """Who works. Fragment ``overview/_workers.html``, id ``overview-workers``."""

    workers: tuple[WorkerRow, ...]
    """At most eight living ones."""
    live: int
    """Living workers."""
    slots: int
    """Tasks they can run at once."""
    running: int
    """Slots in use in them, as they last said."""
    more: int
    """How many more live."""
    href: str
    """All workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailuresPart:
    """The latest tasks that failed or were killed. Fragment ``overview/_failures.html``, id ``overview-failures``."""

    tasks: tuple[TaskRow, ...]
    """At most eight, latest pushed first."""
    href: str
    """All of them."""


# --- queues ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuesPage:
    """``queues/index.html``."""

    heading: str
    """``Queues``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuesPart:
    """All queues. Fragment ``queues/_list.html``, id ``queues-list``."""

    queues: tuple[QueueRow, ...]
    """By name."""
    more: int
    """How many more there are than are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """``queues/show.html``. Variable ``page``; fragments: queue-head, queue-counts, queue-throughput, queue-workers and those of the list."""

    name: str
    """The queue."""
    tasks: TaskList
    """Its tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueHeadPart:
    """The queue's name, condition and controls. Fragment ``queues/_head.html``, id ``queue-head``."""

    queue: QueueRow
    """The queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueWorkersPart:
    """Who serves the queue. Fragment ``queues/_workers.html``, id ``queue-workers``."""

    workers: tuple[WorkerRow, ...]
    """The living ones."""
    problem: str | None
    """A sentence when nobody does."""


# --- tasks -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksPage:
    """``tasks/index.html``. Variable ``page``; fragments: tasks-chips, the rows, tasks-empty, tasks-pager."""

    heading: str
    """``Tasks``."""
    tasks: TaskList
    """The list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """``tasks/show.html``. Everything on it is a fragment."""

    id: str
    """The task."""
    name: str
    """Its handler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One checked answer to: why is it waiting?"""

    holds: bool
    """Whether this keeps it waiting now. False: was checked and is fine."""
    text: str
    """A sentence, without the moment."""
    at: datetime | None
    """A moment that belongs to it: when it is due, since when the queue is paused."""
    href: str | None
    """Where to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSteps:
    """How far a requested kill of a running task has come."""

    asked: datetime
    """When it was asked for."""
    stopped: datetime | None
    """When the task stopped."""
    text: str
    """What is known, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHeadPart:
    """What it is, how it stands, what can be done. Fragment ``tasks/_head.html``, id ``task-head``."""

    task: TaskRow
    """As in lists, with its buttons."""
    sentence: str
    """Its condition in words: ``Failed 2 of 5 attempts; the next one is due.``"""
    kill: KillSteps | None
    """A requested kill."""
    gone: bool
    """Whether it was deleted while the page was open: show what was known, without buttons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyPart:
    """Why it waits. Fragment ``tasks/_why.html``, id ``task-why``; its root is ``hidden`` unless ``shown``."""

    shown: bool
    """Whether it waits."""
    reasons: tuple[Reason, ...]
    """Those that hold first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of the task's life in the waterfall."""

    kind: str
    """``waited`` (due, no worker took it), ``scheduled`` (for a later time), ``backoff``, ``claimed`` (in a worker, not started), ``ran``,
    or ``ended`` (over, until somebody retried it)."""
    label: str
    """``Attempt 2 ran``."""
    outcome: str | None
    """For ``ran``: how it ended, as ``failed``; ``running`` while it runs."""
    start: datetime
    """From when."""
    seconds: float | None
    """How long; None: it still goes on."""
    x: float
    """Left edge, 0 to 100."""
    width: float
    """Width, 0 to 100; at least 0.5, so that it is visible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePart:
    """Where the time went. Fragment ``tasks/_timeline.html``, id ``task-timeline``."""

    phases: tuple[Phase, ...]
    """In order. Bars end at the latest event, so that they do not change between events."""
    total: float | None
    """Seconds from push to the final state; None while it lives."""
    cut: bool
    """Whether early attempts are missing (only the latest 100 are kept)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of a ``<dl>``."""

    label: str
    """The ``<dt>``."""
    text: str | None
    """The ``<dd>``, unless it is a moment or a duration."""
    at: datetime | None
    """The ``<dd>`` as a moment."""
    seconds: float | None
    """The ``<dd>`` as a duration."""
    href: str | None
    """Where it leads."""
    code: bool
    """Whether it is technical text: monospaced, to be copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsPart:
    """All that is stored beside the payload. Fragment ``tasks/_facts.html``, id ``task-facts``."""

    facts: tuple[Fact, ...]
    """In reading order."""
    tags: tuple[str, ...]
    """Words that its producer gave it."""
    metadata: Payload | None
    """Its metadata; None when there is none."""
    checkpoint: Payload | None
    """From where its next attempt goes on; None when nothing was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentsPart:
    """What it was pushed with. Fragment ``tasks/_arguments.html``, id ``task-arguments``."""

    payload: Payload
    """The arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPart:
    """What it returned. Fragment ``tasks/_result.html``, id ``task-result``; its root is ``hidden`` unless there is a payload."""

    payload: Payload | None
    """The result; None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One call of a traceback."""

    file: str
    """Where the code is."""
    line: int
    """Its line there."""
    function: str
    """In which function; may be empty."""
    code: str
    """The line of code; may be empty."""
    own: bool
    """Whether it is the person's own code, not Python's, a library's or Prinia's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One attempt; its traceback belongs into ``<details>``."""

    dom_id: str
    """``attempt-3`` (or ``attempt-3-1``, as a deferred attempt gives its number back)."""
    number: int
    """1 for the first."""
    outcome: str
    """``succeeded``, ``failed``, ``timed-out``, ``aborted``, ``deferred``, ``killed``, ``crashed``, ``released`` or ``running``, for styles."""
    label: str
    """The same for people."""
    worker: str | None
    """Who ran it."""
    started_at: datetime | None
    """When it started."""
    running_since: datetime | None
    """The same, only while it runs."""
    seconds: float | None
    """How long it ran."""
    error_line: str | None
    """Class and first line of the message."""
    error_message: str | None
    """The whole message when it is longer than the line."""
    traceback: str | None
    """The traceback as text."""
    frames: tuple[Frame, ...]
    """Its calls, outermost first; empty when the text does not look like Python's."""
    open: bool
    """Whether its details start open: the latest failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsPart:
    """Every attempt. Fragment ``tasks/_attempts.html``, id ``task-attempts``."""

    attempts: tuple[AttemptRow, ...]
    """Latest first."""
    cut: bool
    """Whether earlier ones are not shown: only the latest 100 are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One line that the handler logged."""

    dom_id: str
    """``log-17``."""
    at: datetime
    """When, by the clock of the host where it ran."""
    level: str
    """``error``, ``warning``, ``info`` or ``debug``, for styles."""
    label: str
    """The level as ``logging`` calls it."""
    attempt: int | None
    """The attempt that logged it; None when all shown lines are of one."""
    logger: str
    """The logger's name."""
    message: str
    """What it says."""
    cut: bool
    """Whether it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPart:
    """What the handler logged. Fragment ``tasks/_log.html``, id ``task-log``."""

    lines: tuple[LogRow, ...]
    """In the order in which they were logged."""
    cut: bool
    """Whether earlier ones are not shown."""
    command: str
    """How to read all of it in a shell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """What a person did."""

    at: datetime
    """When."""
    actor: str
    """Who."""
    text: str
    """``retried it`` or ``retried it with 11 others``."""
    reason: str | None
    """Why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPart:
    """Who did what to it. Fragment ``tasks/_audit.html``, id ``task-audit``; its root is ``hidden`` when empty."""

    lines: tuple[AuditLine, ...]
    """Latest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A task that a confirmation or report names."""

    task: Link
    """Its short id and page."""
    name: str
    """Its handler."""
    status: str
    """Its state in lower case."""
    label: str
    """Its state for people."""
    why: str | None
    """Why it will be skipped; None when it will be touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPart:
    """Says what an action will touch and skip, before it is done. Page ``tasks/confirm.html`` (as ``page``) and fragment ``tasks/_confirm.html``,
    id ``dialog-body`` (as ``it``). The page places the fragment by ``part("dialog-body")``.
    """

    heading: str
    """``Kill 3 tasks?``"""
    sentence: str
    """What will happen, and whether it can be undone."""
    action: str
    """``kill``: for styles."""
    label: str
    """The confirming button's text: ``Kill 3 tasks``."""
    danger: bool
    """Whether it destroys something."""
    url: str
    """Where the form is sent again."""
    fields: tuple[tuple[str, str], ...]
    """Hidden fields: ``id`` repeated, ``back``, ``confirmed``."""
    back: str
    """Where Cancel leads."""
    touched: tuple[Touched, ...]
    """At most ten of those that will be touched."""
    touched_count: int
    """How many in all."""
    skipped: tuple[Touched, ...]
    """At most ten of those that will be left alone."""
    skipped_count: int
    """How many in all."""
    asks_reason: bool
    """Whether to show a text field ``reason``, which goes to the audit."""


# --- workers -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersPage:
    """``workers/index.html``."""

    heading: str
    """``Workers``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersPart:
    """All workers. Fragments ``workers/_list.html`` (the living), id ``workers-list``, and ``workers/_ended.html``, id ``workers-ended``."""

    live: tuple[WorkerRow, ...]
    """Those alive, by name."""
    ended: tuple[WorkerRow, ...]
    """Those that ended or went silent, latest first."""
    slots: int
    """Tasks that the living can run at once."""
    running: int
    """Slots in use in them, as they last said."""
    capped: bool
    """Whether there are more than are shown (200)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPage:
    """``workers/show.html``. Everything on it is a fragment."""

    name: str
    """The worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHeadPart:
    """Who it is and how it is. Fragment ``workers/_head.html``, id ``worker-head``."""

    worker: WorkerRow
    """As in lists."""
    sentence: str
    """Its condition in words."""
    facts: tuple[Fact, ...]
    """The rest of what it said of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPart:
    """What one worker, or all of them, hold now. Fragment ``workers/_held.html``, id ``workers-held``."""

    tasks: tuple[TaskRow, ...]
    """Running and Queued."""
    capped: bool
    """Whether more is held than is shown."""
    several: bool
    """Whether it is about all workers, so that each task says whose it is."""


# --- errors ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """``errors/error.html``: what went wrong, in words, with a way back."""

    status: int
    """The HTTP status: 403, 404, 405, 422, 500 or 503."""
    heading: str
    """``No such task``."""
    text: str
    """A sentence: the thing, the rule, the value."""
    cure: str | None
    """What to do."""
    back: Link
    """A way back."""
