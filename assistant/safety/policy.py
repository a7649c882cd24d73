"""What may happen without asking, what needs a yes, what may not happen: rules in code, pure and deterministic.

Knows no model, no setting and no prompt; nothing that was read can change an answer given here. The order is fixed: was
it decided before anything was read, where do the values that matter come from, who would get to read what, and only
then what kind of act it is. Limits and first payees (`safety.limits`) can make a yes harder, never easier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from assistant.models import Action, Decision, Effect, Label, Origin, Verdict
from assistant.safety.provenance import join

_UNKNOWN = Origin(label=Label.UNTRUSTED)
_ALONE = {"outward": "outward_alone", "money": "money_alone"}


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
    """The given arguments that matter and whose value comes from untrusted data; one of unknown origin counts as such.

    Sensitive ones matter; all do where something is kept that is believed later, taken away, or told to somebody.
    """
    every = {"lasting", "picks", "egress"} & set(action.traits)
    names = tuple(action.args) if every else action.sensitive
    origins = {
        name: action.origins.get(name, _UNKNOWN) for name in names if action.args.get(name) not in (None, "", [], {})
    }
    return {name: origin for name, origin in origins.items() if origin.label is Label.UNTRUSTED}


def judge(action: Action, *, present: bool, planned: bool = True) -> Verdict:
    """Allow, ask or deny, with the reason as a catalogue key and its data (`tool`, `arguments`, `source`, `who`).

    `planned` is whether the call was decided on before anything was read. Money is never allowed here, and what reaches
    somebody only if it can be taken back there and every value of it is the user's own or known.
    """
    data = {"tool": action.tool}
    if not planned:
        return Verdict(decision=Decision.DENY, reason="safety.verdict.unplanned", data=data)
    suspects = tainted(action)
    if suspects:
        data |= {"arguments": ", ".join(suspects), "source": join(suspects.values()).source}
    if action.leaks:
        data |= {"who": ", ".join(action.leaks)}
    decision, reason = _decided(action, bool(suspects), present)
    if reason.endswith(("_untrusted", "untrusted_alone")) and not data.get("source"):
        reason = f"{reason}_unknown"
    return Verdict(decision=decision, reason=f"safety.verdict.{reason}", data=data)


def _decided(action: Action, suspect: bool, present: bool) -> tuple[Decision, str]:
    effect, traits = action.effect, action.traits
    doubtful = suspect or bool(action.leaks)
    case = "untrusted" if suspect else "leak"
    if effect == "read":
        if doubtful and "egress" in traits:
            return (Decision.ASK, f"egress_{case}") if present else (Decision.DENY, f"{case}_alone")
        return Decision.ALLOW, "read"
    if not present and (doubtful or effect in _ALONE):
        return Decision.DENY, f"{case}_alone" if doubtful else _ALONE[effect]
    if effect == "write" and "final" in traits and not present:
        return Decision.DENY, "final_alone"
    if effect == "write":
        if suspect and "lasting" in traits:
            return Decision.ASK, "lasting_untrusted"
        if suspect and "picks" in traits:
            return Decision.ASK, "picks_untrusted"
        if action.leaks:
            return Decision.ASK, "write_leak"
        return Decision.ALLOW, "final" if "final" in traits else "write_untrusted" if suspect else "write"
    if effect == "outward" and "revocable" in traits and not doubtful:
        return Decision.ALLOW, "revocable"
    return Decision.ASK, f"{effect}_{case}" if doubtful else effect
