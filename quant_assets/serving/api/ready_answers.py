"""Ready answers of one publication in bounded memory: the least recently asked go first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

__all__ = ["Answer", "Asked", "Headers", "ReadyAnswers"]

Headers = list[tuple[bytes, bytes]]
Asked = tuple[bytes, ...]
"""What identifies a question within a publication: path, query, media type."""

_OVERHEAD = 600
"""Bytes of Python objects per entry beside its body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: Headers
    body: bytes


class ReadyAnswers:
    """Answers by what was asked, for the publication in use; a new publication empties it.

    Parameters
    ----------
    max_bytes : int
        Bound of what is held; one answer may take an eighth of it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._answers: OrderedDict[Asked, Answer] = OrderedDict()
        self._publication: str | None = None
        self.bytes_held = 0

    def get(self, publication: str, asked: Asked) -> Answer | None:
        """The ready answer, or None."""
        if publication != self._publication:
            return None
        answer = self._answers.get(asked)
        if answer is not None:
            self._answers.move_to_end(asked)
        return answer

    def put(self, publication: str, asked: Asked, answer: Answer, *, newest: str) -> None:
        """Keep an answer, unless it belongs to a publication that is no longer the ``newest``."""
        if publication != newest:
            return
        if publication != self._publication:
            self._answers.clear()
            self.bytes_held, self._publication = 0, publication
        size = _size(asked, answer)
        if size > self._max_bytes // 8:
            return
        former = self._answers.pop(asked, None)
        if former is not None:
            self.bytes_held -= _size(asked, former)
        self._answers[asked] = answer
        self.bytes_held += size
        while self.bytes_held > self._max_bytes:
            self.bytes_held -= _size(*self._answers.popitem(last=False))


def _size(asked: Asked, answer: Answer) -> int:
    return len(answer.body) + sum(map(len, asked)) + _OVERHEAD
