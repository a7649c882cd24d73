"""Thousands of mixed turns at one daemon: does it grow? Memory, handles, threads, tasks, files, tables.

Everything that is written is taken back in the same round, so that what grows is the program, not its data. The slope
is that of least squares over the samples after the warm-up.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.client import Client
from assistant.events import ApprovalWanted, Event, Failed, TurnDone
from bench.form import argument_parser, report
from bench.household import Household, handles, household, memory_mb
from bench.watched import inside

TURNS = 3000
WARM_UP = 500
SETTLED_S = 70.0
"""After the start: its first backup (30 s) and first scrubbing (60 s) take their memory once, which is no growth."""
_STEPS = 40
"""Samples in a run."""
_TABLES = ("turns", "open_questions", "undoable", "schedules", "fired", "index_documents", "approvals", "operations")
_BROKEN = ("internal",)
_EN = (
    "note that the code of box {n} is {n}7",
    "find my notes about box {n}",
    "undo that",
    "remind me tomorrow at 9 to call client {n}",
    "what reminders are still open?",
    "cancel the reminder about client {n}",
    "add review {n} to my calendar for Thursday 3:30 pm",
    "what do i have on thursday",
    "undo that",
    "new contact Tom Becker {n}, email tom{n}@example.org",
    "what's Tom Becker {n}'s email",
    "undo that",
    "search my inbox for planetarium {n}",
    "read me the latest email from Petra",
    "search my files for the boiler warranty {n}",
    "what does the lease say about pets?",
    "schedule a meeting with Anna",
    "never mind",
    "why is the sky blue, question {n}?",
    "cancel the reminder about nothing at all {n}",
    "pay 20 euros to Anna",
    "what time is it in Tokyo?",
    "send an email to r{n}@there.example with the subject Number {n} saying that it is here",
)
_ZH = (
    "记一下：{n}号箱子的密码是{n}8",
    "查一下我关于{n}号箱子的笔记",
    "撤销",
    "明天早上九点提醒我给客户{n}打电话",
    "还有哪些提醒？",
    "取消给客户{n}打电话的提醒",
    "周四下午三点半加一个评审{n}到日历",
    "周四有什么安排？",
    "撤销",
    "把赵明{n}加到联系人，邮箱是zhao{n}@example.cn",
    "赵明{n}的邮箱是什么？",
    "撤销",
    "在收件箱里搜索天文馆{n}",
    "在我的文件里找保修卡{n}",
    "租约里关于宠物是怎么说的？",
    "天空为什么是蓝色的？第{n}问",
    "取消关于{n}这件不存在的事的提醒",
    "东京现在几点？",
    "给 r{n}@there.example 发一封邮件，主题是第{n}封，内容是第{n}封到了",
)


@dataclass
class Grown:
    """What was seen along the way."""

    turns: int = 0
    errors: int = 0
    said: Counter[str] = field(default_factory=Counter)
    """Kinds of endings: the code of an error, or the type of the last event before `done`."""
    samples: list[dict[str, float]] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def slope(self, name: str, warm_up: int) -> float:
        """Growth per 1,000 turns, by least squares over the samples after the warm-up."""
        points = [(one["turns"], one[name]) for one in self.samples if one["turns"] >= warm_up]
        return 1000 * least_squares(points)

    def growth(self, name: str, warm_up: int) -> int:
        """How much more there is at the end than was at most in the first half after the warm-up; never negative."""
        seen = [one[name] for one in self.samples if one["turns"] >= warm_up]
        half = len(seen) // 2
        return max(0, int(min(seen[half:]) - max(seen[:half])))


def least_squares(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the line through the points. Raises ValueError for fewer than two."""
    if len(points) < 2:
        raise ValueError("a slope needs two points")
    mean_x, mean_y = (sum(point[axis] for point in points) / len(points) for axis in (0, 1))
    over = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return over / sum((x - mean_x) ** 2 for x, _ in points)


def sentences() -> Iterator[tuple[str, str, bool | None]]:
    """Session, words, and the answer to an approval: yes, no, or no for one that is refused in words."""
    number = 0
    while True:
        number += 1
        words = _EN if number % 2 else _ZH
        session = f"soak-{number}"
        for template in words[:-1]:
            yield session, template.format(n=number), None
        yield session, words[-1].format(n=number), number % 4 < 2
        if number % 4 >= 2:
            yield session, "no" if number % 2 else "不要", None


async def run(house: Household, turns: int) -> Grown:
    """Say it all, one after the other, and look every now and then."""
    grown, said = Grown(), sentences()
    every = max(1, turns // _STEPS)
    async with house.home.client() as client:
        while grown.turns < turns:
            await _one(client, *next(said), grown)
            if grown.turns % every == 0:
                grown.samples.append(sample(house, grown.turns))
            if grown.turns == min(WARM_UP, turns // 4):
                grown.before = await asyncio.to_thread(inside, house.home.paths.config, house.home.pid)
        grown.after = await asyncio.to_thread(inside, house.home.paths.config, house.home.pid)
    return grown


def sample(house: Household, turns: int) -> dict[str, float]:
    """How much there is of everything now."""
    fds, threads = handles(house.home.pid)
    paths = house.home.paths
    wal = paths.database.with_name(paths.database.name + "-wal")
    return {
        "turns": turns,
        "rss_mb": memory_mb(house.home.pid),
        "fds": fds,
        "threads": threads,
        "database_mb": paths.database.stat().st_size / 2**20,
        "wal_mb": wal.stat().st_size / 2**20 if wal.exists() else 0.0,
        "log_mb": sum(file.stat().st_size for file in paths.logs.iterdir()) / 2**20,
    }


async def _one(client: Client, session: str, words: str, yes: bool | None, grown: Grown) -> None:
    events = [event async for event in client.turn(words, session=session, surface="api")]
    _counted(events, grown)
    for event in events:
        if isinstance(event, ApprovalWanted) and yes:
            decided = client.decide(event.approval.id, approve=True, bound_to=event.approval.bound_to)
            _counted([one async for one in decided], grown)


def _counted(events: Sequence[Event], grown: Grown) -> None:
    grown.turns += 1
    failed = [event.code for event in events if isinstance(event, Failed)]
    ended = bool(events) and isinstance(events[-1], TurnDone)
    grown.errors += not ended or any(code in _BROKEN for code in failed)
    grown.said[failed[0] if failed else events[-2].type if len(events) > 1 else "nothing"] += 1


def figures(house: Household, grown: Grown, warm_up: int) -> dict[str, float | int | None]:
    """The run in figures."""
    tables = {f"rows_{name}": int(str(house.rows(f"SELECT count(*) FROM {name}")[0][0])) for name in _TABLES}
    last = grown.samples[-1]
    return {
        "soak_turns": grown.turns,
        "soak_errors": grown.errors,
        "rss_slope_mb_per_1000": round(grown.slope("rss_mb", warm_up), 3),
        "rss_first_mb": round(grown.samples[0]["rss_mb"], 1),
        "rss_last_mb": round(last["rss_mb"], 1),
        "blocks_per_1000": blocks_per_1000(grown, warm_up),
        "fd_growth": grown.growth("fds", warm_up),
        "thread_growth": grown.growth("threads", warm_up),
        "task_growth": len(grown.after["tasks"]) - len(grown.before["tasks"]),
        "wal_most_mb": round(max(one["wal_mb"] for one in grown.samples), 2),
        "log_mb": round(last["log_mb"], 3),
        "database_mb_per_1000": round(grown.slope("database_mb", warm_up), 3),
        **tables,
    }


def blocks_per_1000(grown: Grown, warm_up: int) -> int:
    """Python's own allocations that stay, after a collection; they know nothing of the allocator's fragmentation."""
    turns = grown.turns - min(warm_up, grown.turns // 4)
    return int(1000 * (grown.after["blocks"] - grown.before["blocks"]) / turns)


def measure(turns: int, *, settle_s: float = SETTLED_S) -> tuple[dict[str, float | int | None], Grown]:
    """The whole soak on a daemon of its own."""
    with household({"approvals.hold_s": 0}) as house:
        time.sleep(settle_s)
        grown = asyncio.run(run(house, turns))
        return figures(house, grown, min(WARM_UP, turns // 4)), grown


def main() -> None:
    """Measure and report."""
    parser = argument_parser("soak", __doc__ or "")
    parser.add_argument("--turns", type=int, default=TURNS)
    options = parser.parse_args()
    found, grown = measure(options.turns)
    rows: list[tuple[object, ...]] = [("ending", "turns"), *grown.said.most_common()]
    more = {
        name: grown.after["objects"][name] - grown.before["objects"].get(name, 0) for name in grown.after["objects"]
    }
    for name, count in sorted(more.items(), key=lambda item: -item[1])[:10]:
        print(f"{count:+8d} {name}", file=sys.stderr)
    print(set(grown.after["tasks"]) ^ set(grown.before["tasks"]), file=sys.stderr)
    report("soak", found, rows=rows, only_json=options.json)


if __name__ == "__main__":
    main()
