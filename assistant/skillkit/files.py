"""Files that a skill keeps for the user, written whole: a crash or a full disk leaves what was there before."""

from assistant.whole import write_whole as write_whole
