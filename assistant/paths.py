"""Where everything lives. `ASSISTANT_HOME` moves all of it; `ASSISTANT_MODELS` moves the models alone."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from assistant.errors import ConfigError

_SOCKET_LIMIT = 100  # sockaddr_un.sun_path holds 108 bytes on Linux, 104 on macOS


@dataclass(frozen=True)
class Paths:
    """The folders of one user's assistant. Nothing is made until `make()`."""

    config: Path
    """Holds the user's `config.yaml` and `profile.yaml`."""
    data: Path
    """Database, vault, mail the user keeps here, skills of the user's own."""
    models: Path
    state: Path
    """Logs."""
    run: Path
    """Socket, lock, pid; gone after a restart."""

    @property
    def config_file(self) -> Path:
        """The user's settings; may be absent."""
        return self.config / "config.yaml"

    @property
    def profile_file(self) -> Path:
        """Who the user is and whom they know, in the form of `profile/sample.yaml`; may be absent."""
        return self.config / "profile.yaml"

    @property
    def database(self) -> Path:
        """The one SQLite database."""
        return self.data / "assistant.db"

    @property
    def tokens(self) -> Path:
        """The credentials of programs, as hashes."""
        return self.data / "tokens.json"

    @property
    def skills(self) -> Path:
        """The user's own skills, a folder each."""
        return self.data / "skills"

    @property
    def logs(self) -> Path:
        """Rotated log files."""
        return self.state / "logs"

    @property
    def socket(self) -> Path:
        """The daemon's Unix socket; a short stand-in where the folder's name is too long for one."""
        path = self.run / "assistant.sock"
        if len(os.fsencode(path)) <= _SOCKET_LIMIT:
            return path
        short = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"assistant-{os.getuid()}-{short}" / "assistant.sock"

    def make(self) -> None:
        """Make all folders, readable by their owner alone. Raises ConfigError where the socket's is not the user's."""
        for folder in (self.config, self.data, self.models, self.state, self.logs, self.run, self.socket.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.run, self.socket.parent):
            private_folder(folder, mode=0)  # before the chmod, which would follow a link
        for folder in (self.data, self.state, self.logs, self.run, self.socket.parent):
            folder.chmod(0o700)


def private_folder(folder: Path, *, mode: int = 0o077) -> None:
    """Check that a folder is a real one, this user's, and has none of the bits of `mode`. Raises ConfigError, OSError.

    A folder that somebody else made beforehand, in `/tmp` above all, would let them in between daemon and client.
    """
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & mode:
        raise ConfigError("config.unsafe_folder", folder=str(folder))


def find() -> Paths:
    """The folders that the environment and the platform name."""
    models = os.environ.get("ASSISTANT_MODELS")
    home = os.environ.get("ASSISTANT_HOME")
    if home:
        base = Path(home).expanduser().absolute()
        return Paths(
            config=base,
            data=base / "data",
            models=Path(models).expanduser().absolute() if models else base / "models",
            state=base / "state",
            run=base / "run",
        )
    dirs = platformdirs.PlatformDirs("assistant", appauthor=False)
    return Paths(
        config=dirs.user_config_path,
        data=dirs.user_data_path,
        models=Path(models).expanduser().absolute() if models else dirs.user_data_path / "models",
        state=dirs.user_state_path,
        run=dirs.user_runtime_path if os.environ.get("XDG_RUNTIME_DIR") else dirs.user_state_path / "run",
    )
