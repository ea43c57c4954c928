"""Errors as RFC 9457 problem details: what went wrong, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

__all__ = ["MEDIA_TYPE", "Problem", "near_matches"]

MEDIA_TYPE = "application/problem+json"
_NEAR_SHOWN = 5
_NEAR_ENOUGH = 0.5
"""Similarity from which a name is offered; 0.5 lets a three-letter symbol differ in one letter."""


@dataclass(slots=True, eq=False)
class Problem(Exception):  # noqa: N818 - the name that RFC 9457 gives it
    """An answer that is no success.

    Parameters
    ----------
    status : int
        HTTP status.
    kind : str
        Stable name of the problem, the last part of its type URI.
    detail : str
        One sentence for the caller, saying what to do next.
    near : tuple of str
        Names that the caller may have meant.
    errors : tuple of dict
        Each invalid parameter and why.
    headers : mapping
        Such as ``Retry-After``.
    """

    status: int
    kind: str
    detail: str
    near: tuple[str, ...] = ()
    errors: tuple[dict[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, instance: str, facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Problem details of a request to the path ``instance``; ``facts`` are added (as_of, disclaimer)."""
        body: dict[str, Any] = {
            "type": f"urn:quant-assets:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
        }
        if self.near:
            body["near"] = list(self.near)
        if self.errors:
            body["errors"] = list(self.errors)
        return body | dict(facts or {})


def near_matches(wanted: str, known: Mapping[str, str] | Iterable[str]) -> tuple[str, ...]:
    """Names close to ``wanted``: those that begin with it, those spelt like it, those whose long name holds it.

    Parameters
    ----------
    wanted : str
    known : mapping or iterable of str
        The names, or each name with its long form.
    """
    names = dict(known) if isinstance(known, Mapping) else dict.fromkeys(known, "")
    folded = wanted.casefold()
    if not folded:
        return ()
    by_fold = {name.casefold(): name for name in names}
    beginning = [name for fold, name in by_fold.items() if fold.startswith(folded)]
    spelt = [by_fold[fold] for fold in difflib.get_close_matches(folded, by_fold, _NEAR_SHOWN, _NEAR_ENOUGH)]
    long = [name for name, words in names.items() if len(folded) >= 3 and folded in words.casefold()]
    return tuple(dict.fromkeys([*beginning, *spelt, *long]))[:_NEAR_SHOWN]
