"""Outward acts: held, done once, looked for. Example run: python -m pytest tests/unit/test_safety_outbox.py -v"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safety_parts import START, World

from assistant.errors import AccountError, ApprovalExpired, AssistantError, Conflict, NotFound, Rejected, Uncertain
from assistant.models import Operation, OutboxState
from assistant.safety.operations import ALLOWED

S = OutboxState


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.stop()


async def refuse(operation: Operation) -> str:
    raise AccountError("skill.account", problem="no network")


async def lose(operation: Operation) -> str:
    raise ConnectionResetError("in the middle")


async def unknowable(operation: Operation) -> str | None:
    raise Uncertain("The mailbox can't be read.")


async def test_an_approved_mail_waits_its_hold_and_leaves_once(world: World) -> None:
    world.run()
    receipt = await world.outbox.submit(world.approved())
    assert (receipt.outcome, receipt.undo_until) == ("queued", START + timedelta(seconds=10))
    await asyncio.sleep(0.02)
    assert world.side.done == []
    await world.later(10)
    done = await world.until(receipt.operation, S.DONE)
    assert done.reference == f"ref-{done.id}"
    assert world.side.done == [done.id]
    assert world.bus.outcomes == ["queued", "done"]
    assert world.history(done.id) == ["PROPOSED", "APPROVED", "SENDING", "DONE"]


async def test_a_clock_that_was_a_day_ahead_holds_nothing_up(world: World) -> None:
    world.run()
    await world.later(86_400)
    operation = await world.submitted()
    await world.later(-86_400)
    assert (await world.until(operation, S.DONE)).id == operation


async def test_submitting_twice_is_submitting_once(world: World) -> None:
    approval = world.approved()
    first = await world.outbox.submit(approval)
    assert await world.outbox.submit(approval) == first
    assert len(await world.outbox.list()) == 1
    world.run()
    await world.later(10)
    await world.until(first.operation, S.DONE)
    assert (await world.outbox.submit(approval)).outcome == "done"
    assert world.side.done == [first.operation]


async def test_without_a_redeemed_yes_nothing_is_taken(world: World) -> None:
    used = world.approved()
    forged = used.model_copy(update={"bound_to": "0" * 64})
    unknown = used.model_copy(update={"id": "made-up"})
    pending = world.approvals.propose(used.action.model_copy(update={"id": "x"}), used.prepared, "why", "s1")
    for bad in (forged, unknown, pending.model_copy(update={"state": "used"})):
        with pytest.raises(ApprovalExpired):
            await world.outbox.submit(bad)
    assert await world.outbox.list() == []


async def test_a_second_yes_to_the_same_act_does_it_no_second_time(world: World) -> None:
    first = world.approved()
    await world.outbox.submit(first)
    again = world.approvals.propose(first.action, first.prepared, "why", "s1")
    world.approvals.decide(again.id, True)
    redeemed = world.approvals.redeem(again.id, first.action, first.prepared)
    with pytest.raises(Conflict):
        await world.outbox.submit(redeemed)


async def test_a_held_mail_can_be_undone_and_never_leaves(world: World) -> None:
    world.run()
    operation = await world.submitted()
    assert (await world.outbox.cancel(operation)).outcome == "cancelled"
    await world.later(3600)
    await asyncio.sleep(0.02)
    assert world.side.done == []
    with pytest.raises(Conflict) as error:
        await world.outbox.cancel(operation)
    assert error.value.code == "outbox.not_held_cancelled"


async def test_what_has_left_or_is_leaving_cannot_be_undone(world: World) -> None:
    inside, go = asyncio.Event(), asyncio.Event()

    async def slow(operation: Operation) -> str:
        inside.set()
        await go.wait()
        return world.side.do(operation)

    world.side.on_commit = slow
    world.run()
    operation = await world.submitted()
    await world.later(10)
    await inside.wait()
    with pytest.raises(Conflict) as leaving:
        await world.outbox.cancel(operation)
    go.set()
    await world.until(operation, S.DONE)
    with pytest.raises(Conflict) as left:
        await world.outbox.cancel(operation)
    assert (leaving.value.code, left.value.code) == ("outbox.not_held_sending", "outbox.not_held_done")


async def test_an_undo_that_races_with_the_release_has_one_winner(world: World) -> None:
    operation = await world.submitted()
    row = world.outbox._operations.get(operation)
    await world.outbox.cancel(operation)
    with pytest.raises(Conflict):
        world.outbox._operations.move(row, S.SENDING)


async def test_what_certainly_did_not_happen_is_tried_again(world: World) -> None:
    world.side.on_commit = refuse
    world.run()
    operation = await world.submitted()
    await world.later(10)
    waiting = await world.until(operation, S.APPROVED)
    await world.until_true(lambda: world.operation(operation).attempts == 1)
    waiting = await world.until(operation, S.APPROVED)
    assert (waiting.attempts, waiting.release_at) == (1, world.clock.now() + timedelta(seconds=5))
    assert "no network" in waiting.problem
    world.side.on_commit = None
    await world.later(5)
    assert (await world.until(operation, S.DONE)).attempts == 2
    assert world.side.looked == []


async def test_a_mail_that_waits_for_its_next_try_can_be_undone(world: World) -> None:
    world.side.on_commit = refuse
    world.run()
    operation = await world.submitted()
    await world.later(10)
    await world.until_true(lambda: world.history(operation)[-2:] == ["SENDING", "APPROVED"])
    assert (await world.outbox.cancel(operation)).outcome == "cancelled"


async def test_after_long_enough_it_fails_and_the_person_is_told(world: World) -> None:
    world.side.on_commit = refuse
    world.run()
    operation = await world.submitted()
    while (found := world.operation(operation)).state is not S.FAILED:
        assert found.created_at + timedelta(hours=2) > world.clock.now()
        await world.later(120)
        await asyncio.sleep(0.01)
    assert world.bus.outcomes[-1] == "failed"
    assert world.bus.notices == ["Not done: “Mail to anna@example.org”"]


async def test_a_refusal_fails_at_once(world: World) -> None:
    async def reject(operation: Operation) -> str:
        raise Rejected("skill.rejected", problem="there is no such address")

    world.side.on_commit = reject
    world.run()
    operation = await world.submitted()
    await world.later(10)
    failed = await world.until(operation, S.FAILED)
    assert "there is no such address" in failed.problem
    assert len(world.bus.notices) == 1


@pytest.mark.parametrize("happened", [True, False])
async def test_a_lost_connection_is_looked_up_before_anything_is_sent_again(world: World, happened: bool) -> None:
    async def drop(operation: Operation) -> str:
        if happened:
            world.side.do(operation)
        world.side.on_commit = None
        raise ConnectionResetError

    world.side.on_commit = drop
    world.run()
    operation = await world.submitted()
    await world.later(10)
    await world.until(operation, S.UNKNOWN)
    assert world.side.looked == []
    await world.later(20)
    if not happened:
        await world.until(operation, S.APPROVED)
        await world.later(5)
    await world.until(operation, S.DONE)
    assert world.side.done == [operation]
    assert world.side.looked == [operation]


async def test_a_commit_that_hangs_is_unknown_after_a_while(world: World) -> None:
    async def hang(operation: Operation) -> str:
        await asyncio.sleep(3600)
        return ""

    world.side.on_commit = hang
    world.run()
    operation = await world.submitted()
    await world.later(10)
    assert (await world.until(operation, S.UNKNOWN)).problem == "The other side did not answer in time."


async def test_a_handler_that_cancels_itself_does_not_stop_the_outbox(world: World) -> None:
    async def cancelled(operation: Operation) -> str:
        raise asyncio.CancelledError

    world.side.on_commit = cancelled
    world.run()
    operation = await world.submitted()
    await world.later(10)
    await world.until(operation, S.UNKNOWN)
    await world.later(20)
    await world.until(operation, S.APPROVED)


async def test_one_that_hangs_does_not_hold_up_the_others(world: World) -> None:
    first = await world.submitted()

    async def hang_first(operation: Operation) -> str:
        if operation.id == first:
            await asyncio.Event().wait()
        return world.side.do(operation)

    world.side.on_commit = hang_first
    world.outbox._timeout_s = 60
    others = [await world.submitted() for _ in range(8)]
    world.run()
    await world.later(10)
    for other in others:
        await world.until(other, S.DONE)
    assert world.operation(first).state is S.SENDING


async def test_at_most_four_leave_at_the_same_time(world: World) -> None:
    now, most = 0, 0

    async def count(operation: Operation) -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.005)
        now -= 1
        return world.side.do(operation)

    world.side.on_commit = count
    operations = [await world.submitted() for _ in range(12)]
    world.run()
    await world.later(10)
    for operation in operations:
        await world.until(operation, S.DONE)
    assert most == 4


async def unknown(world: World) -> str:
    """An operation whose outcome nobody can tell."""
    world.side.on_commit, world.side.on_reconcile = lose, unknowable
    world.run()
    operation = await world.submitted()
    await world.later(10)
    await world.until(operation, S.UNKNOWN)
    await world.later(20)
    await world.until_true(lambda: bool(world.bus.notices))
    return operation


async def test_what_cannot_be_known_is_told_once_and_never_sent_again(world: World) -> None:
    operation = await unknown(world)
    for _ in range(200):
        await world.later(60)
        await asyncio.sleep(0.001)
    assert world.operation(operation).state is S.UNKNOWN
    assert world.operation(operation).problem == "The mailbox can't be read."
    assert world.bus.notices == ["Did it leave? “Mail to anna@example.org”"]
    assert world.bus.kept == {f"{operation}:unknown": "Did it leave? “Mail to anna@example.org”"}
    assert 3 <= len(world.side.looked) <= 12
    looked = len(world.side.looked)
    await world.later(100_000)
    await asyncio.sleep(0.02)
    assert len(world.side.looked) == looked
    assert world.history(operation).count("SENDING") == 1


async def test_a_later_look_may_still_find_it(world: World) -> None:
    operation = await unknown(world)
    world.side.done.append(operation)
    world.side.on_reconcile = None
    await world.later(60)
    assert (await world.until(operation, S.DONE)).reference == f"ref-{operation}"


async def test_the_person_can_say_that_it_happened(world: World) -> None:
    operation = await unknown(world)
    assert (await world.outbox.resolve(operation, happened=True)).outcome == "done"
    with pytest.raises(Conflict):
        await world.outbox.resolve(operation, happened=False)


async def test_the_person_can_say_that_it_did_not_happen_and_it_is_held_and_sent_again(world: World) -> None:
    operation = await unknown(world)
    world.side.on_commit = None
    receipt = await world.outbox.resolve(operation, happened=False)
    assert (receipt.outcome, receipt.undo_until) == ("queued", world.clock.now() + timedelta(seconds=10))
    await world.later(10)
    await world.until(operation, S.DONE)
    assert world.side.done == [operation]


async def test_only_what_is_unknown_can_be_resolved(world: World) -> None:
    operation = await world.submitted()
    with pytest.raises(Conflict):
        await world.outbox.resolve(operation, happened=True)
    for call in (world.outbox.cancel("nothing"), world.outbox.resolve("nothing", happened=True)):
        with pytest.raises(NotFound):
            await call


async def test_a_restart_while_sending_looks_first(world: World) -> None:
    inside = asyncio.Event()

    async def hang(operation: Operation) -> str:
        world.side.do(operation)
        inside.set()
        await asyncio.Event().wait()
        return ""

    world.side.on_commit = hang
    world.run()
    operation = await world.submitted()
    await world.later(10)
    await inside.wait()
    await world.restart()
    assert world.operation(operation).state is S.SENDING
    world.run()
    await world.until(operation, S.UNKNOWN)
    await world.later(20)
    await world.until(operation, S.DONE)
    assert world.side.done == [operation]
    assert world.history(operation) == ["PROPOSED", "APPROVED", "SENDING", "UNKNOWN", "DONE"]


async def test_a_held_mail_survives_a_restart(world: World) -> None:
    operation = await world.submitted()
    await world.restart()
    world.run()
    await world.later(10)
    await world.until(operation, S.DONE)
    assert world.side.done == [operation]


async def test_a_yes_that_never_reached_the_outbox_is_taken_up_at_the_next_start(world: World) -> None:
    approval = world.approved()
    await world.restart()
    world.run()
    await asyncio.sleep(0.01)
    await world.later(10)
    await world.until(approval.action.id, S.DONE)
    assert world.side.done == [approval.action.id]


async def test_newest_operations_come_first_and_finished_ones_can_be_left_out(world: World) -> None:
    operations = [await world.submitted() for _ in range(3)]
    await world.outbox.cancel(operations[1])
    assert [one.id for one in await world.outbox.list()] == operations[::-1]
    assert [one.id for one in await world.outbox.list(open_only=True)] == [operations[2], operations[0]]
    assert [one.id for one in await world.outbox.list(limit=1)] == [operations[2]]


async def test_a_receipt_speaks_the_language_of_its_turn(world: World) -> None:
    action_of = world.approved()
    approval = world.approvals.propose(action_of.action, action_of.prepared, "需要您确认。", "s1", language="zh")
    world.approvals.decide(approval.id, True)
    redeemed = world.approvals.redeem(approval.id, action_of.action, action_of.prepared)
    assert "撤销" in (await world.outbox.submit(redeemed)).summary


async def test_what_cannot_be_known_is_told_again_by_the_next_daemon_until_it_is_known(world: World) -> None:
    operation = await unknown(world)
    await world.restart()
    world.bus.kept.clear()
    world.run()
    await world.until_true(lambda: bool(world.bus.kept))
    assert world.bus.kept == {f"{operation}:unknown": "Did it leave? “Mail to anna@example.org”"}
    await world.outbox.resolve(operation, happened=True)
    assert not world.bus.kept


# --- a disk that is full, a database that is locked ---------------------------------------------------------------


async def test_with_a_locked_database_nothing_leaves_and_the_loop_survives(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.safety.outbox._STORE_RETRY_S", 0.01)
    operation = await world.submitted()
    world.db.conn.execute("PRAGMA busy_timeout = 1")
    locker = sqlite3.connect(world.file, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    world.run()
    await world.later(10)
    await asyncio.sleep(0.1)
    assert world.side.done == []
    assert world.bus.notices == ["Nothing can leave at the moment"]
    with pytest.raises(AssistantError) as error:
        await world.outbox.cancel(operation)
    assert error.value.code == "store.unwritable"
    locker.execute("ROLLBACK")
    locker.close()
    await world.until(operation, S.DONE)
    assert world.side.done == [operation]
    assert not world.bus.kept


async def test_an_act_whose_end_cannot_be_written_is_written_when_the_disk_has_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.safety.outbox._STORE_RETRY_S", 0.01)
    locker = sqlite3.connect(world.file, isolation_level=None)

    async def then_full(operation: Operation) -> str:
        world.db.conn.execute("PRAGMA busy_timeout = 1")
        locker.execute("BEGIN IMMEDIATE")
        return world.side.do(operation)

    world.side.on_commit = then_full
    world.run()
    operation = await world.submitted()
    await world.later(10)
    await world.until_true(lambda: bool(world.bus.notices))
    assert world.operation(operation).state is S.SENDING
    locker.execute("ROLLBACK")
    locker.close()
    await world.until(operation, S.DONE)
    assert world.side.done == [operation]


async def test_on_a_full_disk_nothing_is_taken_and_what_was_there_stays(world: World) -> None:
    first = await world.submitted()
    approvals = [world.approved() for _ in range(40)]
    pages = world.db.conn.execute("PRAGMA page_count").fetchone()[0]
    world.db.conn.execute(f"PRAGMA max_page_count = {pages}")
    taken, code = 0, ""
    for approval in approvals:
        try:
            await world.outbox.submit(approval)
        except AssistantError as error:
            code = error.code
            break
        taken += 1
    assert code == "store.unwritable"
    assert len(await world.outbox.list()) == taken + 1
    assert world.audit.verify().ok
    world.db.conn.execute("PRAGMA max_page_count = 1000000")
    await world.outbox.submit(approvals[taken])
    assert first in {one.id for one in await world.outbox.list()}


# --- the transition table -------------------------------------------------------------------------------------------


def test_every_state_is_in_the_table_and_the_ends_are_ends() -> None:
    assert set(ALLOWED) == set(S)
    assert {state for state, after in ALLOWED.items() if not after} == {S.DONE, S.FAILED, S.CANCELLED}
    assert S.SENDING not in ALLOWED[S.UNKNOWN], "what is unknown is looked for, never just sent again"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(S), max_size=12))
def test_no_walk_leaves_the_table_and_each_step_is_in_the_history(walk: list[OutboxState]) -> None:
    world = MemoryWorld()
    row, _ = world.outbox._operations.add(world.approved(), START)
    expected = [S.PROPOSED, S.APPROVED]
    for state in walk:
        if state in ALLOWED[expected[-1]]:
            row = world.outbox._operations.move(row, state)
            expected.append(state)
        else:
            with pytest.raises(AssistantError):
                world.outbox._operations.move(row, state)
    assert world.history(row.operation.id) == [str(state) for state in expected]
    assert world.audit.verify().ok


class MemoryWorld(World):
    """On a database in memory, for properties."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))

    def start(self) -> None:
        self.file = ":memory:"  # type: ignore[assignment]
        super().start()
