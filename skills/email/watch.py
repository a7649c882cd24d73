"""Reads the mailbox into the index in the background, a slice at a time, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import logging

from assistant.skillkit import Context, SkillFailed, starts

from .mailbox import opened

logger = logging.getLogger(__name__)
_SLICE = 24
_BREATH_S = 0.005  # between two slices: a turn that comes meanwhile gets the lock and the processor


@starts
async def index_mailbox(ctx: Context) -> None:
    """Index what is not indexed yet. Mail that comes later is seen at each search."""
    if not ctx.settings.get("mailbox"):
        return
    try:
        mailbox = opened(ctx)
        left = await mailbox.refresh(ctx.index, limit=_SLICE)
        while left:
            await asyncio.sleep(_BREATH_S)
            left = await mailbox.index_more(ctx.index, _SLICE)
    except (SkillFailed, OSError) as error:
        logger.warning("the mailbox was not indexed: %s", error)
