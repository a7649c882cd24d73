"""What may happen without asking, what needs a yes, what may not happen: a table in code, pure and deterministic.

Knows no model, no setting and no prompt; nothing that was read can change an answer given here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from assistant.models import Action, Decision, Effect, Label, Origin, Verdict, join

_TABLE: dict[tuple[Effect, bool, bool], tuple[Decision, str]] = {
    # (effect, a sensitive value comes from untrusted data alone, a person is there)
    ("read", False, True): (Decision.ALLOW, "read"),
    ("read", False, False): (Decision.ALLOW, "read"),
    ("read", True, True): (Decision.ALLOW, "read"),
    ("read", True, False): (Decision.ALLOW, "read"),
    ("write", False, True): (Decision.ALLOW, "write"),
    ("write", False, False): (Decision.ALLOW, "write"),
    ("write", True, True): (Decision.ALLOW, "write_untrusted"),
    ("write", True, False): (Decision.DENY, "untrusted_alone"),
    ("outward", False, True): (Decision.ASK, "outward"),
    ("outward", False, False): (Decision.DENY, "outward_alone"),
    ("outward", True, True): (Decision.ASK, "outward_untrusted"),
    ("outward", True, False): (Decision.DENY, "untrusted_alone"),
    ("money", False, True): (Decision.ASK, "money"),
    ("money", False, False): (Decision.DENY, "money_alone"),
    ("money", True, True): (Decision.ASK, "money_untrusted"),
    ("money", True, False): (Decision.DENY, "untrusted_alone"),
}
_UNKNOWN = Origin(label=Label.UNTRUSTED)


class Declared(Protocol):
    """The part of a tool's declaration (`skillkit.manifest.ToolDeclaration`) that decides its effect."""

    @property
    def effect(self) -> Effect: ...
    @property
    def outward_if(self) -> str | None: ...


def effective_effect(declaration: Declared, args: Mapping[str, Any]) -> Effect:
    """The declared effect; `outward` where a milder tool is given its `outward_if` argument."""
    given = declaration.outward_if is not None and bool(args.get(declaration.outward_if))
    return "outward" if given and declaration.effect in ("read", "write") else declaration.effect


def tainted(action: Action) -> dict[str, Origin]:
    """The given sensitive arguments whose value comes from untrusted data; one of unknown origin counts as such."""
    origins = {
        name: action.origins.get(name, _UNKNOWN)
        for name in action.sensitive
        if action.args.get(name) not in (None, "", [], {})
    }
    return {name: origin for name, origin in origins.items() if origin.label is Label.UNTRUSTED}


def judge(action: Action, *, present: bool) -> Verdict:
    """Allow, ask or deny, with the reason as a catalogue key and its data (`tool`, `arguments`, `source`).

    Money and outward acts are never allowed here: they are asked, or denied where nobody is there to be asked.
    """
    suspects = tainted(action)
    decision, reason = _TABLE[action.effect, bool(suspects), present]
    data = {"tool": action.tool}
    if suspects:
        source = join(suspects.values()).source
        reason = reason if source or reason == "read" else f"{reason}_unknown"
        data |= {"arguments": ", ".join(suspects), "source": source}
    return Verdict(decision=decision, reason=f"safety.verdict.{reason}", data=data)
