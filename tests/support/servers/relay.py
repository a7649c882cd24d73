"""Takes mail by SMTP and hands it on by LMTP while the sender waits.

What Postfix does in the tests, for those who aren't root: `python relay.py SMTP_PORT LMTP_PORT DOMAIN REFUSED`.
"""

from __future__ import annotations

import asyncio
import smtplib
import sys

from aiosmtpd.smtp import SMTP, Envelope, Session


class Handler:
    """Refuses what Postfix refuses."""

    def __init__(self, lmtp: int, domain: str, refused: str) -> None:
        self._lmtp, self._domain, self._refused = lmtp, domain, refused

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:
        """A recipient."""
        if address == self._refused:
            return "550 5.1.1 no such mailbox"
        if not address.endswith(f"@{self._domain}"):
            return "550 5.1.2 a machine of tests: nothing is delivered outside"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        """The mail itself."""
        await asyncio.to_thread(self._hand_on, envelope)
        return "250 2.0.0 Ok: handed on"

    def _hand_on(self, envelope: Envelope) -> None:
        with smtplib.LMTP("127.0.0.1", self._lmtp) as client:
            client.sendmail(envelope.mail_from or "", envelope.rcpt_tos, envelope.content or b"")


async def main() -> None:
    """Serve until killed."""
    smtp, lmtp, domain, refused = sys.argv[1:]
    handler = Handler(int(lmtp), domain, refused)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, enable_SMTPUTF8=True, data_size_limit=26214400), "127.0.0.1", int(smtp)
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
