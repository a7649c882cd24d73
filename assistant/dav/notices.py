"""What the engine tells the user unasked: two versions to choose between, files that were put back."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from assistant.dav import lines
from assistant.dav.state import Kept, State
from assistant.dav.world import World
from assistant.models import Notice

_SHOWN = 3


async def tell_conflicts(ctx: World, account: str, state: State, folder: Path, now: datetime) -> None:
    """Tell each once: all that are new in one notice. Told again after a crash in between, under the same id."""
    fresh = state.conflicts(untold=True)
    if not fresh:
        return
    said = [sentence(ctx, account, one) for one in fresh[:_SHOWN]]
    if len(fresh) > _SHOWN:
        said.append(ctx.text("dav.more", count=len(fresh) - _SHOWN))
    said.append(ctx.text("dav.choose", account=account))
    marks = hashlib.sha256(repr([one.id for one in fresh]).encode()).hexdigest()[:12]
    title = ctx.text("dav.conflicts", count=len(fresh), account=account)
    await ctx.notify(
        Notice(id=f"{ctx.skill}.{account}.{marks}", title=title, body="\n".join(said), skill=ctx.skill, at=now)
    )
    state.told([one.id for one in fresh])


def sentence(ctx: World, account: str, one: Kept) -> str:
    """What happened to it."""
    name = shown(title(one)) or ctx.text("dav.untitled")
    return ctx.text(f"dav.{one.reason}", title=name, place=f"{account}/{one.folder}")


def title(one: Kept) -> str:
    """What the thing is called, in our version or theirs."""
    return lines.title(one.ours or b"") or lines.title(one.theirs or b"")


def shown(text: str) -> str:
    """Other people's words on one line."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[:80]


async def tell_restored(ctx: World, place: str, count: int, now: datetime) -> None:
    """Everything in a folder was gone at once."""
    title_ = ctx.text("dav.restored", place=place, count=count)
    notice = Notice(id=f"restored.{place}.{now:%Y%m%d%H%M}", title=title_, body=ctx.text("dav.restored_body"), at=now)
    await ctx.notify(notice)
