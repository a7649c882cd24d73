"""The accounts of the settings with their secrets: the adapter of `ports.Accounts`."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from assistant.errors import AccountError, NotConfigured
from assistant.ports import Secrets
from assistant.remote import Account, Credential, secret_name


class KeptAccounts:
    """Adapter of `ports.Accounts`."""

    def __init__(self, accounts: Mapping[str, Account], secrets: Secrets) -> None:
        self._accounts = dict(accounts)
        self._secrets = secrets

    def all(self) -> Mapping[str, Account]:
        """By name, in the order of the settings."""
        return self._accounts

    async def credential(self, account: str, *, refused: Credential | None = None) -> Credential:
        """What is kept for it."""
        known = self._accounts[account]
        secret = await self._secrets.get(secret_name(account))
        if not secret:
            raise NotConfigured("accounts.no_secret", account=account)
        if refused is not None and refused.secret.get_secret_value() == secret:
            raise AccountError("accounts.refused", account=account, user=known.login)
        return Credential(user=known.login, secret=SecretStr(secret))
