"""What a route gets to answer with: the publication, its reads, and names checked against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import polars as pl
from fastapi import Depends, Path, Request, Response

from quant_assets.serving.api.contract import Promised
from quant_assets.serving.api.encoding import json_bytes, json_columns, json_records
from quant_assets.serving.api.front import VISIT, Visit
from quant_assets.serving.api.problems import Problem, near_matches
from quant_assets.serving.api.queries import PageQuery, SeriesQuery, next_link
from quant_assets.serving.api.snapshot import Reading, Snapshot

__all__ = ["Question", "QuestionDep", "SymbolPath", "reply"]

SymbolPath = Annotated[
    str,
    Path(description="Symbol; lower case is understood.", min_length=1, max_length=24, examples=["IBM"]),
]


@dataclass(frozen=True, slots=True)
class Question:
    """One request to a route.

    Parameters
    ----------
    path : str
        As asked, for the link to the next page.
    media_type : str
        What the client prefers, where the route has a choice.
    """

    snapshot: Snapshot
    reading: Reading
    path: str
    media_type: str

    def symbol(self, text: str) -> str:
        """The symbol as the universe writes it.

        Raises
        ------
        Problem
            404 with near matches.
        """
        symbols = self.snapshot.symbols
        if text in symbols:
            return text
        if text.upper() in symbols:
            return text.upper()
        near = near_matches(text, symbols)
        hint = f"did you mean {', '.join(near)}?" if near else f"the universe holds {len(symbols)} symbols."
        raise Problem(404, "unknown-symbol", f"There is no symbol {text!r}; {hint}", near=near)

    def rows(self, table: Promised, where: Mapping[str, object], order: str, query: PageQuery) -> pl.DataFrame:
        """A page of a table and one row more; ``where`` maps conditions with one ``?`` to values, None leaves out."""
        asked = {condition: value for condition, value in where.items() if value is not None}
        condition = f" WHERE {' AND '.join(asked)}" if asked else ""
        columns = ", ".join(f'"{name}"' for name in table.columns)
        return self.reading.frame(
            f"SELECT {columns} FROM {table.name}{condition} ORDER BY {order} LIMIT ? OFFSET ?",
            [*asked.values(), query.limit + 1, query.offset],
        )

    def series(self, table: Promised, symbol: str, query: SeriesQuery, **equal: object) -> pl.DataFrame:
        """A page of one symbol's newest rows and one row more, in order of date; ``equal`` narrows by columns."""
        held = self.snapshot.newest.get(table.name)
        if held is not None and not equal and query.start is None and query.end is None:
            page = held.page(symbol, limit=query.limit, offset=query.offset)
            if page is not None:
                return page
        where: dict[str, object | None] = {"symbol = ?": symbol, "date >= ?": query.start, "date <= ?": query.end}
        where |= {f"{name} = ?": value for name, value in equal.items()}
        wide = Promised(table.name, self.snapshot.columns[table.name], table.noun)
        return self.rows(wide, where, "date DESC", query).reverse()

    def list_reply(self, frame: pl.DataFrame, query: PageQuery, **more: object) -> Response:
        """Answer with a page of records, of which the frame holds one too many where there are more."""
        return self.records_reply(json_records(frame), query, **more)

    def records_reply(self, records: Sequence[Mapping[str, object]], query: PageQuery, **more: object) -> Response:
        """The same from records."""
        return self.page_reply({**more, "data": records[: query.limit]}, len(records), query)

    def empty_reply(self, query: PageQuery, note: str, **more: object) -> Response:
        """Answer with an empty list and why it is empty."""
        return self.records_reply([], query, note=note, **more)

    def series_reply(self, frame: pl.DataFrame, query: SeriesQuery, columns: Sequence[str], **more: object) -> Response:
        """Answer with a page of a series; the frame holds one row too many, its first, where there are more."""
        shown = frame.tail(query.limit).select(columns)
        data = json_columns(shown) if query.layout == "columns" else json_records(shown)
        return self.page_reply({**more, "data": data}, frame.height, query)

    def page_reply(self, document: Mapping[str, object], found: int, query: PageQuery) -> Response:
        """Answer with a document that holds a page; ``found`` is one more than the limit where there are more."""
        after = next_link(self.path, query) if found > query.limit else None
        page = {"limit": query.limit, "offset": query.offset, "count": min(found, query.limit), "next": after}
        return reply(self, {"page": page, **document}, {"Link": f'<{after}>; rel="next"'} if after else {})


def reply(question: Question, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a document and what every answer carries."""
    body = json_bytes(question.snapshot.publication.facts() | dict(document))
    return Response(body, media_type="application/json", headers=dict(headers or {}))


async def _question(request: Request) -> Question:
    visit: Visit = request.scope[VISIT]
    if visit.snapshot is None or visit.reading is None:
        reason = f" ({visit.failure})" if visit.failure else ""
        raise Problem(
            503,
            "nothing-published",
            f"Nothing is published yet{reason}; run 'make run' and ask again.",
            headers={"Retry-After": "60"},
        )
    return Question(visit.snapshot, visit.reading, request.url.path, visit.media_type)


QuestionDep = Annotated[Question, Depends(_question)]
