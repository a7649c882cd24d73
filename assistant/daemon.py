"""The daemon: the only place where parts are put together. Owns their start and their stop, and does no work itself."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import secrets as random_secrets
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assistant.accounts.keeper import KeptAccounts, Tell, teller
from assistant.automation.schedules import SqlSchedules
from assistant.clock import SystemClock
from assistant.config import Config, language_of
from assistant.conversation.conversation import Conversation
from assistant.conversation.deciding import Plans
from assistant.conversation.examples import Examples
from assistant.conversation.execute import Executor
from assistant.conversation.extracting import Extractor
from assistant.conversation.intents import Sentences
from assistant.conversation.planner import Planner, Switches
from assistant.conversation.running import RunningTurns
from assistant.conversation.sessions import Sessions
from assistant.conversation.shortlist import Shortlist
from assistant.engine.client import Engine
from assistant.engine.models import ModelStore
from assistant.engine.scripted import ScriptedModel
from assistant.entrance import Door
from assistant.health import health
from assistant.kept import Kept
from assistant.lifetime import announce_ready, keep_running
from assistant.locale import Catalogue
from assistant.memory.keeper import KeptProfile
from assistant.mending import DamageWatch, Mending
from assistant.mending import start_again as start_again
from assistant.models import Language
from assistant.notify.announce import Announcer, DesktopNotifications
from assistant.notify.bus import EventBus
from assistant.paths import Paths
from assistant.ports import Clock, LanguageModel, Secrets, Users
from assistant.remembering import SKILL_DATA, keep_profile, users_of
from assistant.resources import bundled
from assistant.safety.approvals import Approvals
from assistant.safety.audit import Audit
from assistant.safety.limits import Limits
from assistant.safety.outbox import SqlOutbox
from assistant.safety.secrets import open_secrets
from assistant.server.app import make_app
from assistant.server.services import Services
from assistant.skillkit.cage import World
from assistant.skillkit.contexts import Contexts
from assistant.skillkit.crew import Crew
from assistant.skillkit.loader import Skills
from assistant.skillkit.sources import find_external
from assistant.skillkit.survey import survey
from assistant.store import Database, open_database
from assistant.store.index import SqlIndex
from assistant.store.restore import Restored, mend
from assistant.store.scrub import keep_scrubbed
from assistant.suggesting import keep_suggesting

_log = logging.getLogger(__name__)
_APPROVAL_KEY = "approval-key"


async def run(
    paths: Paths, config: Config, door: Door, front: AsyncExitStack, stopping: asyncio.Event, started: float
) -> bool:
    """Load everything behind the open `door`, work until `stopping`, stop. True where it shall start again at once.

    `front` holds the sockets: they are closed before the parts that answer on them.
    """
    async with AsyncExitStack() as stack:
        watch = DamageWatch(paths.database, SystemClock(config.assistant.zone), stopping.set)
        services = await assemble(paths, config, stack, started=started, damage=watch)
        door.open(make_app(services))
        await announce_ready(stack, services.engine)
        gc.freeze()  # what was loaded stays: no collection needs to walk through it
        gc.enable()
        await keep_running(stack, services.conversation.warm, "templates")
        _log.info("ready after %.2f s", time.monotonic() - started)
        await stopping.wait()
        _log.info("stopping")
        await front.aclose()
    return watch.found


@dataclass(frozen=True)
class Instead:
    """What a bench puts in the place of a part."""

    planner: Plans | None = None
    skills: Skills | None = None
    users: Users | None = None
    payees: Callable[[], Collection[str]] = frozenset


async def assemble(
    paths: Paths,
    config: Config,
    stack: AsyncExitStack,
    *,
    started: float = 0.0,
    clock: Clock | None = None,
    scripted: LanguageModel | None = None,
    switches: Switches | None = None,
    instead: Instead | None = None,
    damage: DamageWatch | None = None,
) -> Services:
    """Make all parts and start what runs by itself; `stack` stops them. The rest is for tests and benches."""
    clock, instead = clock or SystemClock(config.assistant.zone), instead or Instead()
    kept = Kept(paths.state / "kept")
    catalogue = Catalogue(kept)
    language, restored = language_of(config), mend(paths.database, clock.now())
    db, ledger = (_opened(paths, stack, durable, damage) for durable in (False, True))
    secrets = open_secrets(paths)
    key = asyncio.create_task(_key(secrets.get, secrets.put))
    await asyncio.sleep(0)  # the vault's key is being made in a thread while everything else is loaded
    bus, audit = EventBus(), Audit(ledger, clock, config.audit.bodies)
    models = ModelStore(paths, config.engine)
    engine, model = (None, scripted) if scripted else _model(paths, config, models, stack)
    skills = instead.skills or await _skills(
        paths, config, catalogue, stack, kept, World(secret=secrets.get, record=audit.record)
    )
    users, crew = instead.users or users_of(paths, config, skills), Crew(skills, language)
    schedules = SqlSchedules(db, clock, crew.fire)
    approvals = Approvals(ledger, clock, await key, config.approvals.expire_s, audit=audit)
    announcer = Announcer(bus, DesktopNotifications(config.assistant.name) if config.notify.desktop else None)
    outbox = _outbox(ledger, config, clock, audit, bus, announcer, crew, catalogue, approvals, language)
    running = RunningTurns(bus, catalogue, clock)
    profile = await keep_profile(paths, config.profile, models, engine, db, clock, running, users, stack)
    crew.contexts = contexts = Contexts(
        clock=clock,
        catalogue=catalogue,
        user=users.current,
        settings=skills.settings,
        folders=paths.data / SKILL_DATA,
        secrets=secrets,
        accounts=_accounts(paths, config, stack, secrets, teller(announcer, catalogue, language, clock)),
        model=model,
        index=partial(SqlIndex, db),
        outbox=outbox,
        schedules=schedules,
        notify=announcer,
        quiet=running,
        profile=profile,
        offers=skills.offers,
    )
    sessions = await _sessions(db, clock, config, stack, profile)
    limits = Limits(ledger, clock, config.limits, instead.payees)
    conversation = _conversation(
        config, contexts, sessions, approvals, audit, limits, skills, users, kept, switches, instead.planner
    )
    mending = Mending(paths.database, contexts, announcer, language, audit, approvals, outbox, sessions)
    await _watch(stack, mending, restored, damage)
    await keep_suggesting(stack, db, profile.habits, contexts, announcer, language, config.profile.suggest)
    await _begin(stack, outbox, schedules, running, crew)
    return Services(
        clock=clock,
        catalogue=catalogue,
        language=language,
        conversation=conversation,
        running=running,
        sessions=sessions,
        approvals=approvals,
        outbox=outbox,
        audit=audit,
        skills=skills,
        own_skills=paths.skills,
        model=model,
        engine=engine,
        models=models,
        bus=bus,
        profile=profile,
        survey=partial(survey, skills, paths, audit),
        health=partial(health, started, skills, catalogue, language, engine, bus, profile),
    )


def _accounts(paths: Paths, config: Config, stack: AsyncExitStack, secrets: Secrets, tell: Tell) -> KeptAccounts:
    accounts = KeptAccounts(config.accounts, secrets, folder=paths.data / "accounts", tell=tell)
    stack.push_async_callback(accounts.aclose)
    return accounts


def _outbox(
    db: Database,
    config: Config,
    clock: Clock,
    audit: Audit,
    bus: EventBus,
    announcer: Announcer,
    crew: Crew,
    catalogue: Catalogue,
    approvals: Approvals,
    language: Language,
) -> SqlOutbox:
    return SqlOutbox(
        db=db,
        clock=clock,
        settings=config.outbox,
        hold_s=config.approvals.hold_s,
        audit=audit,
        bus=bus,
        announcements=announcer,
        handlers=crew,
        text=catalogue.text,
        unfinished=approvals.unfinished,
        language=language,
    )


async def _begin(
    stack: AsyncExitStack, outbox: SqlOutbox, schedules: SqlSchedules, running: RunningTurns, crew: Crew
) -> None:
    await keep_running(stack, outbox.run, "outbox")
    await schedules.start()
    stack.push_async_callback(schedules.aclose)
    stack.push_async_callback(running.aclose)
    await keep_running(stack, crew.start, "skills")


async def _watch(
    stack: AsyncExitStack, mending: Mending, restored: Restored | None, damage: DamageWatch | None
) -> None:
    stack.callback(await mending.settle(restored))
    if damage is None:  # parts in a test: nothing lasts longer than they do
        return
    damage.tell = mending.tell_damage
    await keep_running(stack, mending.seal_daily, "seal")
    await keep_running(stack, mending.back_up_daily, "backups")


def _planner(
    contexts: Contexts, skills: Skills, sentences: Sentences, config: Config, switches: Switches, kept: Kept
) -> Planner:
    examples = Examples([bundled_sentences().with_name("examples.jsonl"), *skills.example_files()], skills, kept)
    return Planner(
        contexts.model,
        Shortlist(skills.tools(), lambda: sentences.examples, examples.by_tool, kept),
        examples,
        Extractor(contexts.model, skills),
        name=config.assistant.name,
        size=config.conversation.shortlist,
        max_tokens=config.engine.max_output_tokens,
        switches=switches,
        profile=contexts.profile,
    )


def _conversation(
    config: Config,
    contexts: Contexts,
    sessions: Sessions,
    approvals: Approvals,
    audit: Audit,
    limits: Limits,
    skills: Skills,
    users: Users,
    kept: Kept,
    switches: Switches | None,
    planner: Plans | None,
) -> Conversation:
    switches = switches or Switches()
    sentences = Sentences([bundled_sentences(), *skills.sentence_files()], skills.planned, kept)
    return Conversation(
        sentences=sentences,
        planner=planner or _planner(contexts, skills, sentences, config, switches, kept),
        executor=Executor(
            skills=skills, contexts=contexts, approvals=approvals, sessions=sessions, audit=audit, limits=limits
        ),
        sessions=sessions,
        approvals=approvals,
        skills=skills,
        users=users,
        clock=contexts.clock,
        catalogue=contexts.catalogue,
        settings=config.conversation,
        templates=switches.templates,
        profile=contexts.profile,
    )


async def _sessions(
    db: Database, clock: Clock, config: Config, stack: AsyncExitStack, profile: KeptProfile
) -> Sessions:
    sessions = Sessions(db, clock)

    def forget() -> int:
        return sum(part(config.conversation.keep_days) for part in (sessions.forget, profile.expire))

    forget()
    await keep_running(stack, partial(keep_scrubbed, db, forget), "forgetting")
    return sessions


async def _skills(
    paths: Paths, config: Config, catalogue: Catalogue, stack: AsyncExitStack, kept: Kept, world: World
) -> Skills:
    skills = Skills()
    skills.load_bundled(bundled("skills"), config.skills, kept)
    data = paths.data / SKILL_DATA
    find_external(skills, paths, config.skills, data=data, world=world, wish=config.sandbox.skills)
    skills.report_unknown(config.skills, paths.config_file)
    stack.push_async_callback(skills.aclose)
    await skills.prepare()
    for name, skill in skills.loaded.items():
        if skill.locale is not None:
            catalogue.add(name, skill.locale)
    return skills


def bundled_sentences() -> Path:
    """The conversation's own templates (yes, no, undo, help)."""
    return Path(__file__).parent / "conversation" / "sentences.yaml"


def _opened(paths: Paths, stack: AsyncExitStack, durable: bool, damage: DamageWatch | None) -> Database:
    db = open_database(paths.database, durable=durable, on_damage=damage)
    stack.callback(db.close)
    return db


def _model(
    paths: Paths, config: Config, models: ModelStore, stack: AsyncExitStack
) -> tuple[Engine | None, LanguageModel]:
    """The model on the device; `scripted:FILE` says FILE's lines in turn, to measure all but the model."""
    if config.engine.model.startswith("scripted:"):
        script = Path(config.engine.model.removeprefix("scripted:"))
        replies = itertools.cycle(script.read_text(encoding="utf-8").splitlines())
        return None, ScriptedModel(lambda _: next(replies), keep=0)  # it may answer for days
    engine = Engine(paths, config.engine, models)
    stack.push_async_callback(engine.aclose)
    return engine, engine


async def _key(get: Callable[[str], Awaitable[str | None]], put: Callable[[str, str], Awaitable[None]]) -> bytes:
    """The key that approvals are bound with; made once."""
    stored = await get(_APPROVAL_KEY)
    if stored is None:
        stored = random_secrets.token_hex(32)
        await put(_APPROVAL_KEY, stored)
    return bytes.fromhex(stored)
