"""All that a skill may import: `from assistant.skillkit import tool, Context, Result, …`."""

from assistant.accounts import login as login
from assistant.accounts.login import quirks as quirks
from assistant.accounts.problem import LoginProblem as LoginProblem
from assistant.dav.replicas import Replica as Replica
from assistant.dav.replicas import is_read_only as is_read_only
from assistant.dav.replicas import keep_in_step as keep_in_step
from assistant.dav.replicas import replicas as replicas
from assistant.dav.replicas import writing as writing
from assistant.errors import (
    AccountError as AccountError,
)
from assistant.errors import (
    AskAgain as AskAgain,
)
from assistant.errors import (
    Conflict as Conflict,
)
from assistant.errors import (
    EngineError as EngineError,
)
from assistant.errors import (
    NotConfigured as NotConfigured,
)
from assistant.errors import (
    NotFound as NotFound,
)
from assistant.errors import (
    Rejected as Rejected,
)
from assistant.errors import (
    SkillFailed as SkillFailed,
)
from assistant.failpoint import failpoint as failpoint
from assistant.knowledge import Fact as Fact
from assistant.knowledge import Pause as Pause
from assistant.knowledge import Recalled as Recalled
from assistant.models import (
    Completion as Completion,
)
from assistant.models import (
    Label as Label,
)
from assistant.models import (
    Language as Language,
)
from assistant.models import (
    Message as Message,
)
from assistant.models import (
    Notice as Notice,
)
from assistant.models import (
    Operation as Operation,
)
from assistant.models import (
    Origin as Origin,
)
from assistant.models import (
    OutboxState as OutboxState,
)
from assistant.models import (
    Person as Person,
)
from assistant.models import (
    Prepared as Prepared,
)
from assistant.models import (
    PreviewField as PreviewField,
)
from assistant.models import (
    Priority as Priority,
)
from assistant.models import (
    UserContext as UserContext,
)
from assistant.ports import Document as Document
from assistant.ports import Index as Index
from assistant.ports import Profile as Profile
from assistant.ports import Scheduled as Scheduled
from assistant.remote import Account as Account
from assistant.remote import Credential as Credential
from assistant.remote import Place as Place
from assistant.remote import is_this_machine as is_this_machine
from assistant.sandbox.machine import fenced_python as fenced_python
from assistant.skillkit.context import Context as Context
from assistant.skillkit.declare import (
    Result as Result,
)
from assistant.skillkit.declare import (
    Uncertain as Uncertain,
)
from assistant.skillkit.declare import (
    commit as commit,
)
from assistant.skillkit.declare import (
    fires as fires,
)
from assistant.skillkit.declare import (
    provides as provides,
)
from assistant.skillkit.declare import (
    reconcile as reconcile,
)
from assistant.skillkit.declare import (
    starts as starts,
)
from assistant.skillkit.declare import (
    tool as tool,
)
from assistant.skillkit.declare import (
    undo as undo,
)
from assistant.skillkit.fellows import (
    Brief as Brief,
)
from assistant.skillkit.fellows import (
    CalendarMail as CalendarMail,
)
from assistant.skillkit.fellows import (
    Invitations as Invitations,
)
from assistant.skillkit.fellows import (
    Mailer as Mailer,
)
from assistant.skillkit.fellows import (
    Post as Post,
)
from assistant.skillkit.web import web_client as web_client
from assistant.values import (
    Duration as Duration,
)
from assistant.values import (
    Impossible as Impossible,
)
from assistant.values import (
    Moment as Moment,
)
from assistant.values import (
    Period as Period,
)
from assistant.values import (
    Span as Span,
)
from assistant.values import (
    TimeValue as TimeValue,
)
from assistant.values import (
    as_period as as_period,
)
from assistant.values import (
    find_times as find_times,
)
from assistant.values import (
    format_duration as format_duration,
)
from assistant.values import (
    next_occurrence as next_occurrence,
)
from assistant.values import (
    parse_duration as parse_duration,
)
from assistant.values import (
    parse_rule as parse_rule,
)
from assistant.values import (
    parse_time as parse_time,
)
from assistant.values.iban import format_iban as format_iban
from assistant.values.iban import parse_iban as parse_iban
from assistant.values.vcards import Card as Card
from assistant.values.vcards import extend_card as extend_card
from assistant.values.vcards import read_cards as read_cards
from assistant.values.vcards import write_card as write_card
from assistant.whole import write_whole as write_whole
