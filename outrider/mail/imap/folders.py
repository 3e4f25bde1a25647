"""IMAP mailboxes, which we call folders: their names on the wire and what they are for.

LIST: RFC 9051 §7.3.1. Special use: RFC 6154; without it the name tells (`rules/folders.toml`). Names: modified UTF-7,
RFC 3501 §5.1.3.
"""

import re
import tomllib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

_ENTRY = re.compile(rb'^\(([^)]*)\)\s+(?:"((?:[^"\\]|\\.)*)"|NIL)\s+(.*)$', re.IGNORECASE | re.DOTALL)
_LITERAL = re.compile(rb"\{\d+\+?\}$")
_ESCAPED = re.compile(r"\\(.)")
_SHIFTED = re.compile(r"&([^-]*)-")
_UNPRINTABLE = re.compile(r"&|[^\x20-\x7e]+")


class FolderRole(StrEnum):
    INBOX = "INBOX"
    JUNK = "JUNK"
    SENT = "SENT"
    ALL = "ALL"  # Gmail's archive of everything
    DRAFTS = "DRAFTS"
    TRASH = "TRASH"
    ARCHIVE = "ARCHIVE"


@dataclass(frozen=True, slots=True)
class Folder:
    name: str  # as people read it, with its path
    role: FolderRole | None
    is_selectable: bool = True


_SPECIAL_USE = {
    "\\junk": FolderRole.JUNK,
    "\\spam": FolderRole.JUNK,  # XLIST, before RFC 6154
    "\\sent": FolderRole.SENT,
    "\\all": FolderRole.ALL,
    "\\allmail": FolderRole.ALL,
    "\\drafts": FolderRole.DRAFTS,
    "\\trash": FolderRole.TRASH,
    "\\archive": FolderRole.ARCHIVE,
}


def read_folders(lines: Sequence[bytes | bytearray]) -> list[Folder]:
    """The folders of a LIST answer; each role is given once, the server's word before the name's."""
    listed = [entry for entry in map(_entry, _with_literals(lines)) if entry is not None]
    by_server = {_declared(attributes) for attributes, _, _ in listed}
    taken: set[FolderRole] = set()
    folders = []
    for attributes, delimiter, name in listed:
        role = _role(attributes, delimiter, name, by_server)
        if role in taken:
            role = None
        elif role:
            taken.add(role)
        folders.append(Folder(name, role, is_selectable=attributes.isdisjoint({"\\noselect", "\\nonexistent"})))
    return folders


def encode_name(name: str) -> str:
    """A folder's name in modified UTF-7."""

    def shifted(found: re.Match[str]) -> str:
        if found[0] == "&":
            return "&-"
        base64 = b64encode(found[0].encode("utf-16-be", "replace")).decode("ascii")
        return "&" + base64.rstrip("=").replace("/", ",") + "-"

    return _UNPRINTABLE.sub(shifted, name)


def decode_name(wire: str) -> str:
    """The name people read; what is no modified UTF-7 stays as it is."""

    def unshifted(found: re.Match[str]) -> str:
        if not found[1]:
            return "&"
        base64 = found[1].replace(",", "/")
        try:
            return b64decode(base64 + "=" * (-len(base64) % 4), validate=True).decode("utf-16-be")
        except (Base64Error, UnicodeDecodeError):
            return found[0]

    return _SHIFTED.sub(unshifted, wire)


def _with_literals(lines: Iterable[bytes | bytearray]) -> list[bytes]:
    """One line per folder: a name sent as a literal is put back as a quoted string."""
    joined: list[bytes] = []
    for line in lines:
        if isinstance(line, bytearray) and joined:
            escaped = bytes(line).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            joined[-1] = _LITERAL.sub(b"", joined[-1]) + b'"' + escaped + b'"'
        else:
            joined.append(bytes(line))
    return joined


def _entry(line: bytes) -> tuple[frozenset[str], str, str] | None:
    """Attributes, delimiter and name."""
    found = _ENTRY.match(line)
    if not found:
        return None
    attributes = frozenset(found[1].decode("ascii", "replace").lower().split())
    wire = found[3].decode("utf-8", "replace").strip()
    if wire.startswith('"') and wire.endswith('"') and len(wire) > 1:
        wire = _ESCAPED.sub(r"\1", wire[1:-1])
    return attributes, _ESCAPED.sub(r"\1", (found[2] or b"").decode("ascii", "replace")), decode_name(wire)


def _declared(attributes: frozenset[str]) -> FolderRole | None:
    return next((role for attribute, role in _SPECIAL_USE.items() if attribute in attributes), None)


def _role(
    attributes: frozenset[str], delimiter: str, name: str, by_server: set[FolderRole | None]
) -> FolderRole | None:
    if name.upper() == "INBOX":
        return FolderRole.INBOX
    declared = _declared(attributes)
    if declared:
        return declared
    last = (name.rpartition(delimiter)[2] if delimiter else name).casefold()
    named = next((role for role, names in _names().items() if last in names), None)
    return None if named in by_server else named


@cache
def _names() -> dict[FolderRole, frozenset[str]]:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "folders.toml").read_text(encoding="utf-8"))
    return {FolderRole(role.upper()): frozenset(map(str.casefold, names)) for role, names in rules.items()}
