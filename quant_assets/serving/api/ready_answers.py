"""Ready answers of a publication in bounded memory: the least recently asked go first."""

from __future__ import annotations

import itertools
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
    """Answers of one publication by what was asked.

    Parameters
    ----------
    max_bytes : int
        Bound of what is held; one answer may take an eighth of it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._answers: OrderedDict[Asked, Answer] = OrderedDict()
        self.bytes_held = 0

    def get(self, asked: Asked) -> Answer | None:
        """The ready answer, or None."""
        answer = self._answers.get(asked)
        if answer is not None:
            self._answers.move_to_end(asked)
        return answer

    def put(self, asked: Asked, answer: Answer) -> None:
        """Keep an answer, in the place of the least recently asked ones."""
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

    def last_asked(self, count: int) -> list[Asked]:
        """What was asked last, the newest first."""
        return list(itertools.islice(reversed(self._answers), count))


def _size(asked: Asked, answer: Answer) -> int:
    return len(answer.body) + sum(map(len, asked)) + _OVERHEAD
