"""What a prompt is told of the user: the profile's digest, and their own earlier words where a reply is wanted.

Both are private: whoever passes values on looks them up in `Told.texts`, and the gate holds that only the user may read
what comes from there (`safety.provenance`).
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.models import Language, UserContext
from assistant.ports import Profile


@dataclass(frozen=True)
class Told:
    """Of the user, for one prompt."""

    digest: str = ""
    earlier: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All of it."""
        return tuple(filter(None, (self.digest, *self.earlier)))


async def told_of(profile: Profile | None, text: str, user: UserContext, *, talk: bool, acts: bool) -> Told:
    """What the prompt for `text` is told; no tool is meant where it is `talk`, surely one where it `acts`."""
    if profile is None:
        return Told()
    earlier = () if acts else tuple(await profile.earlier(text, talk=talk))
    return Told(profile.digest(tongue_of(user), private=True), earlier)


def tongue_of(user: UserContext) -> Language:
    """The user's own language, the same whatever language a turn is in."""
    return "zh" if user.locale.startswith("zh") else "en"
