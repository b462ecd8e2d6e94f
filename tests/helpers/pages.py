"""A page of HTML as its tests look at it: elements in order, with attributes and text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "source", "br"}


@dataclass
class Element:
    """An element: its name, its attributes, the names around it, all text in it."""

    name: str
    attributes: dict[str, str]
    around: list[str]
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


class Page(HTMLParser):
    """Parses a page; raises if an element is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.comments: list[str] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open, [one.name for one in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs), f"an attribute of {tag} is given twice"
        element = Element(tag, attributes, [one.name for one in self._open])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"{tag} closes nothing"
        last = self._open.pop()
        assert last.name == tag, f"{tag} closes {last.name}"

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.parts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def named(self, *names: str) -> list[Element]:
        return [one for one in self.elements if one.name in names]

    def with_id(self, name: str) -> Element:
        (found,) = [one for one in self.elements if one.attributes.get("id") == name]
        return found

    def table(self, name: str) -> list[list[str]]:
        """Return the text of the cells of a table, by the id of its caption."""
        start = next(
            i for i, one in enumerate(self.elements)
            if one.name == "table" and one.attributes.get("aria-labelledby") == name
        )  # fmt: skip
        rows: list[list[str]] = []
        for one in self.elements[start + 1 :]:
            if "table" not in one.around:
                break
            if one.name == "tr":
                rows.append([])
            elif one.name in ("td", "th"):
                rows[-1].append(one.text)
        return rows
