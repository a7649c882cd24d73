"""`assistant approvals`: what waits for a yes, shown exactly, and answered."""

from __future__ import annotations

import typer

from assistant.cli import help
from assistant.cli import shell as shells
from assistant.cli.exits import ExitCode, UsageProblem
from assistant.cli.help import Command
from assistant.cli.shell import Shell
from assistant.models import Approval


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    commands.command("list", cls=Command)(list_all)
    for function in (show, approve, refuse):
        commands.command(cls=Command)(function)
    app.add_typer(commands, name="approvals", rich_help_panel="care")


def list_all(
    context: typer.Context,
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """List them."""
    shell = shells.of(context)
    shell.as_json = as_json
    found = _fetch(shell)
    if as_json:
        shell.json({"items": [approval.model_dump(mode="json") for approval in found]})
        return
    if not found:
        shell.say("approvals.none")
        return
    rows = [
        (
            shells.short_id(approval.id),
            _state(shell, approval),
            approval.prepared.title,
            approval.action.tool,
            shell.moment(approval.expires_at),
        )
        for approval in found
    ]
    shell.table("approvals", ("id", "state", "what", "tool", "expires"), rows)


def show(
    context: typer.Context,
    approval: str = typer.Argument(metavar="ID"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Show one."""
    from assistant.cli.render import show_approval
    from assistant.cli.talk import tell_how

    shell = shells.of(context)
    shell.as_json = as_json
    found = _one(shell, approval)
    if as_json:
        shell.json(found.model_dump(mode="json"))
        return
    show_approval(shell, found)
    if found.state == "pending":
        tell_how(shell, [found])
    else:
        shell.line(shell.text(f"approvals.state.{found.state}"))


def approve(
    context: typer.Context,
    approval: str = typer.Argument(metavar="ID"),
    proof: str = typer.Option("", "--proof", metavar="XXXX"),
) -> None:
    """Say yes."""
    _decide(shells.of(context), approval, approve=True, proof=proof)


def refuse(context: typer.Context, approval: str = typer.Argument(metavar="ID")) -> None:
    """Say no."""
    _decide(shells.of(context), approval, approve=False)


def _decide(shell: Shell, wanted: str, *, approve: bool, proof: str = "") -> None:
    """The yes is bound to what this very command shows: the hash goes with it."""
    from assistant.cli.render import show_approval
    from assistant.cli.talk import Talk, tell_how
    from assistant.client import RemoteProblem

    approval = _one(shell, wanted)
    show_approval(shell, approval)
    with Talk(shell, session=approval.session, present=True) as talk:
        try:
            outcome = talk.decide(approval, approve=approve, proof=proof)
        except RemoteProblem as problem:
            if problem.code not in ("approval.proof_wanted", "approval.wrong_proof"):
                raise
            talk.tell(problem)
            tell_how(shell, [approval])
            raise typer.Exit(ExitCode.WAITING) from problem
        if outcome.approvals:
            outcome = talk.settle(outcome)
    if outcome.exit is ExitCode.OK and not outcome.events:
        shell.say("approvals.approved" if approve else "approvals.refused")
    raise typer.Exit(outcome.exit)


def _state(shell: Shell, approval: Approval) -> str:
    """What it waits for: a yes, or a yes and the end of an account; else what became of it."""
    proving = approval.proof and approval.state == "pending"
    return shell.text("approvals.state_proof" if proving else f"approvals.state.{approval.state}")


def _one(shell: Shell, wanted: str) -> Approval:
    """The approval of an id, or the one that waits and whose id begins so. Raises UsageProblem where several do."""
    fitting = [approval for approval in _fetch(shell) if approval.id.startswith(wanted)]
    if len(fitting) > 1:
        raise UsageProblem("cli.several", id=wanted)
    if fitting:
        return fitting[0]

    async def work() -> Approval:
        async with shell.client() as client:
            return await client.approval(wanted)

    return shell.run(work())


def _fetch(shell: Shell) -> list[Approval]:
    async def work() -> list[Approval]:
        async with shell.client() as client:
            return await client.approvals(state="pending")

    return shell.run(work())
