"""Reads the folders in the background when the assistant starts, so that the first question need not wait for it."""

from __future__ import annotations

import logging

from assistant.skillkit import Context, SkillFailed, starts

from .library import current

logger = logging.getLogger(__name__)


@starts
async def index_folders(ctx: Context) -> None:
    """Begin to read what is new. Later changes are seen at each question."""
    try:
        await current(ctx, wait_s=0)
    except (SkillFailed, OSError) as error:
        logger.info("no documents are read: %s", error)
