"""Mail: search, read, summarise, write, file. The store is behind `provider.MailProvider`."""

from .delivery import deliver as deliver
from .delivery import look as look
from .filing import archive as archive
from .filing import delete as delete
from .filing import mark as mark
from .filing import take_back as take_back
from .lookup import read as read
from .lookup import search as search
from .mailer import mailer as mailer
from .needing import brief as brief
from .summary import summarize as summarize
from .watch import index_mailbox as index_mailbox
from .writing import forward as forward
from .writing import reply as reply
from .writing import send as send
