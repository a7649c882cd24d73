"""Full-text search over the documents of one collection (a skill's), in SQLite FTS5. Knows no skill and no file.

Latin words are tokens; runs of Han, Kana and Hangul, which are written without spaces, become overlapping bigrams, so
that any two neighbouring characters are found without a dictionary (N-gram indexing, as in Lucene's CJKAnalyzer).
"""

from __future__ import annotations

import asyncio
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from assistant.ports import Document
from assistant.store.database import Database, transaction

Field = str | int | bool
Condition = Field | Sequence[Field]

_UNSPACED = (
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(f"([{_UNSPACED}]+)|((?:(?![{_UNSPACED}])[^\\W_])+)")
_CONDITION = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,40})(>=|<|~)?")
_MARKS = dict.fromkeys(range(0x300, 0x370))
_TEXT_LIMIT = 200_000  # characters of one document that are searched
_QUERY_TERMS = 32
_WORD_LIMIT = 60  # FTS5's porter leaves longer tokens alone, and nobody searches for a line of base64
_BATCH = 50
_MANY = 2_000  # documents: a word that more of them have doesn't tell which is meant
_HEADS = ("date", "sender", "subject")
_FIELD = "(SELECT json_extract(d.fields, '$.{}') FROM index_documents d WHERE d.row = h.row)"


def fold(text: str) -> str:
    """`text` as it is compared: width, case and accents made alike (NFKC, case-folded, `é` as `e`)."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded).translate(_MARKS))


class SqlIndex:
    """`ports.Index` over one collection."""

    def __init__(self, db: Database, collection: str) -> None:
        self._db = db
        self._collection = collection

    async def put(self, documents: Sequence[Document]) -> None:
        """Add or replace by id, in small transactions that let other work through between them."""
        for start in range(0, len(documents), _BATCH):
            if start:
                await asyncio.sleep(0)
            rows = list({document.id: self._row(document) for document in documents[start : start + _BATCH]}.values())
            with transaction(self._db) as connection:
                connection.executemany(
                    "DELETE FROM index_documents WHERE collection = ? AND id = ?", [row[:2] for row in rows]
                )
                connection.executemany(
                    "INSERT INTO index_documents (collection, id, stamp, fields, words, singles)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    rows,
                )

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget them; an unknown id is no error."""
        for start in range(0, len(ids), _BATCH):
            if start:
                await asyncio.sleep(0)
            with transaction(self._db) as connection:
                connection.executemany(
                    "DELETE FROM index_documents WHERE collection = ? AND id = ?",
                    [(self._collection, id_) for id_ in ids[start : start + _BATCH]],
                )

    async def search(
        self, query: str, *, limit: int = 20, where: Mapping[str, Condition] | None = None
    ) -> Sequence[str]:
        """Ids of the documents that hold all words of `query`, best first, newer ones (`fields["date"]`) before older.

        Words that thousands of documents hold don't weigh: then the newest come first.
        Where none holds all, those that hold some; a query without words lists what `where` lets through, newest
        first. Keys of `where` are a field's name, alone (equal) or followed by `>=`, `<` or `~` (contains); text is
        compared folded; a list of values lets any of them through. Raises ValueError for an ill-formed key.
        """
        condition, values = _conditions(where or {})
        every, some = _match(query)
        if not every:
            return self._listed(condition, values, limit)
        found = self._matching(every, condition, values, limit)
        return found or (self._matching(some, condition, values, limit) if some != every else found)

    async def stamps(self) -> Mapping[str, str]:
        """Id → stamp of all documents."""
        rows = self._db.conn.execute("SELECT id, stamp FROM index_documents WHERE collection = ?", (self._collection,))
        return {row[0]: row[1] for row in rows}

    def _row(self, document: Document) -> tuple[str, str, str, str, str, str]:
        words, singles = segment(document.text[:_TEXT_LIMIT])
        fields = {key: fold(value) if isinstance(value, str) else value for key, value in document.fields.items()}
        return self._collection, document.id, document.stamp, json.dumps(fields), " ".join(words), " ".join(singles)

    def _matching(self, match: str, condition: str, values: list[Field], limit: int) -> list[str]:
        count = self._count(match)
        if count > _MANY:
            return self._newest(match, condition, values, limit, count)
        # bm25 differs a little between any two documents; rounded, the date decides among those alike.
        rows = self._db.conn.execute(
            "SELECT h.id FROM index_words w JOIN index_heads h ON h.row = w.rowid"
            f" WHERE w.index_words MATCH ? AND h.collection = ?{condition}"
            " ORDER BY round(bm25(index_words), 1), h.date DESC, h.row DESC LIMIT ?",
            (match, self._collection, *values, limit),
        )
        return [row[0] for row in rows]

    def _newest(self, match: str, condition: str, values: list[Field], limit: int, count: int) -> list[str]:
        """Of documents with words that very many have, which tell little, the newest; to weigh them all takes long."""
        total = self._db.conn.execute("SELECT max(row) FROM index_heads").fetchone()[0] or 1
        if count * 4 > total:  # every fourth or so: soon found by going back in time
            source = (
                "FROM index_heads h WHERE EXISTS"
                " (SELECT 1 FROM index_words w WHERE w.rowid = h.row AND w.index_words MATCH ?)"
            )
        else:
            source = "FROM index_words w JOIN index_heads h ON h.row = w.rowid WHERE w.index_words MATCH ?"
        rows = self._db.conn.execute(
            f"SELECT h.id {source} AND h.collection = ?{condition} ORDER BY h.date DESC, h.row DESC LIMIT ?",
            (match, self._collection, *values, limit),
        )
        return [row[0] for row in rows]

    def _count(self, match: str) -> int:
        row = self._db.conn.execute("SELECT count(*) FROM index_words WHERE index_words MATCH ?", (match,)).fetchone()
        return int(row[0])

    def _listed(self, condition: str, values: list[Field], limit: int) -> list[str]:
        rows = self._db.conn.execute(
            f"SELECT h.id FROM index_heads h WHERE h.collection = ?{condition}"
            " ORDER BY h.date DESC, h.row DESC LIMIT ?",
            (self._collection, *values, limit),
        )
        return [row[0] for row in rows]


def segment(text: str) -> tuple[list[str], list[str]]:
    """The tokens of `text`: words and bigrams in their order, and the single characters of unspaced scripts."""
    words: list[str] = []
    singles: list[str] = []
    for run, word in _runs(text):
        if run:
            words.extend(_bigrams(run))
            singles.extend(dict.fromkeys(run))
        else:
            words.append(word)
    return words, singles


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """Each run of an unspaced script as (run, ""), each word as ("", word)."""
    for match in _RUN.finditer(fold(text)):
        yield match[1] or "", (match[2] or "")[:_WORD_LIMIT]


def _bigrams(run: str) -> list[str]:
    return [run[position : position + 2] for position in range(len(run) - 1)] or [run]


def _match(query: str) -> tuple[str, str]:
    """FTS5 expressions for all terms of a query and for any of them; empty where it has no words."""
    every: list[str] = []
    some: list[str] = []
    for run, word in _runs(query[:1000]):
        if len(run) == 1:
            terms = [f'singles : "{run}"']
            every.extend(terms)
        elif run:
            bigrams = _bigrams(run)
            every.append(f'words : "{" ".join(bigrams)}"')
            terms = [f'words : "{pair}"' for pair in bigrams]
        else:
            terms = [f'words : "{word}"']
            every.extend(terms)
        some.extend(terms)
    return " AND ".join(every[:_QUERY_TERMS]), " OR ".join(some[:_QUERY_TERMS])


def _conditions(where: Mapping[str, Condition]) -> tuple[str, list[Field]]:
    """SQL after the WHERE, and its parameters."""
    parts: list[str] = []
    values: list[Field] = []
    for key, wanted in where.items():
        named = _CONDITION.fullmatch(key)
        if named is None:
            raise ValueError(f"{key!r} is no field")
        column = f"h.{named[1]}" if named[1] in _HEADS else _FIELD.format(named[1])
        test = f"instr({column}, ?) > 0" if named[2] == "~" else f"{column} {named[2] or '='} ?"
        several = [wanted] if isinstance(wanted, str | int) else list(wanted)
        parts.append(f" AND ({' OR '.join([test] * len(several)) or '0'})")
        values.extend(fold(value) if isinstance(value, str) else value for value in several)
    return "".join(parts), values
