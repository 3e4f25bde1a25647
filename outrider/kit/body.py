"""Reading a request body whatever its content type says: JSON, form or nothing (contract: conventions §9)."""

import codecs
import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import orjson
from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from outrider.kit.errors import Problem
from outrider.kit.exchange import KEY_NAME, Exchange, Upload, header
from outrider.kit.validation import CONTROL

DEEPEST = 32
_CONTROL_IN_JSON = re.compile(rb"\\u00(?:[0189]|7[fF])|\\[bf]|\x7f|\xc2[\x80-\x9f]")
"""What may stand for a control character in JSON; raw ones are no valid JSON."""


class PayloadTooLarge(Problem):
    """request entity too large"""

    status = 413
    title = "Payload Too Large"


class UnreadableBody(Problem):
    """Invalid JSON body"""

    status = 400
    title = "Bad Request"


async def read_body(request: Request, exchange: Exchange, *, limit: int) -> None:
    """Put the parsed body into the exchange, without the key; no body is `{}`."""
    scope = request.scope
    length = header(scope, b"content-length")
    if length is None and header(scope, b"transfer-encoding") is None:
        return
    if length is not None and (not length.isdigit() or int(length) > limit):
        raise PayloadTooLarge
    raw = await _read(request.stream(), limit)
    encoding = (header(scope, b"content-encoding") or "identity").lower()
    if encoding not in {"identity", ""}:
        raw = _unpack(raw, encoding, limit)
    exchange.body_bytes = raw
    body = await _parse(raw, header(scope, b"content-type") or "", exchange.uploads)
    if isinstance(body, dict) and KEY_NAME in body:
        key = body.pop(KEY_NAME)
        exchange.body_key = key if isinstance(key, str) else str(key)
    exchange.body = body


async def _read(stream: AsyncIterator[bytes], limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in stream:
            size += len(chunk)
            if size > limit:
                raise PayloadTooLarge
            chunks.append(chunk)
    except ClientDisconnect as error:
        raise UnreadableBody from error
    return b"".join(chunks)


def _unpack(raw: bytes, encoding: str, limit: int) -> bytes:
    """Gzip or deflate (with or without its zlib head); stops at the limit, so that a small bomb stays small."""
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise UnreadableBody(f"Unsupported content encoding {encoding}")
    window = zlib.MAX_WBITS | 32 if encoding != "deflate" or raw[:1] == b"\x78" else -zlib.MAX_WBITS
    unpacker = zlib.decompressobj(window)
    try:
        unpacked = unpacker.decompress(raw, limit + 1)
    except zlib.error as error:
        raise UnreadableBody from error
    if len(unpacked) > limit:
        raise PayloadTooLarge
    if not unpacker.eof:
        raise UnreadableBody
    return unpacked


async def _parse(raw: bytes, content_type: str, uploads: list[Upload]) -> Any:
    """JSON when it looks like JSON; else a form, if the header says so; a blank body and a table are `{}`."""
    raw = raw.removeprefix(codecs.BOM_UTF8)
    start = raw.lstrip()[:1]
    kind = content_type.partition(";")[0].strip().lower()
    if not start or kind == "text/csv":
        return {}
    if start not in (b"{", b"["):
        if kind == "multipart/form-data":
            return await _parse_multipart(raw, content_type, uploads)
        if kind == "application/x-www-form-urlencoded":
            return _parse_form(raw)
    return parse_json(raw)


def parse_json(raw: bytes) -> Any:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise UnreadableBody from error
    if _is_too_deep(value):
        raise UnreadableBody
    return _cleaned(value) if _CONTROL_IN_JSON.search(raw) else value


def _is_too_deep(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        if not level:
            return False
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return CONTROL.sub("", value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {CONTROL.sub("", key): _cleaned(item) for key, item in value.items()}
    return value


def _parse_form(raw: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(raw.decode("utf-8").strip(), keep_blank_values=True, errors="strict", max_num_fields=10_000)
    except ValueError as error:
        raise UnreadableBody from error
    return fields_of(pairs)


async def _parse_multipart(raw: bytes, content_type: str, uploads: list[Upload]) -> dict[str, Any]:
    """Files are fields too, as text, and are kept byte for byte beside them."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield raw

    try:
        parser = MultiPartParser(Headers({"content-type": content_type}), chunks(), max_part_size=len(raw))
        form = await parser.parse()
        pairs = [(name, await _part_text(name, part, uploads)) for name, part in form.multi_items()]
    except (MultiPartException, FormParserError, KeyError, ValueError) as error:
        raise UnreadableBody from error
    return fields_of(pairs)


async def _part_text(name: str, part: UploadFile | str, uploads: list[Upload]) -> str:
    if isinstance(part, str):
        return part
    content = await part.read()
    await part.close()
    uploads.append(Upload(name, part.filename or "", content))
    return content.decode("utf-8", errors="replace")


def fields_of(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Form fields by name; repeated fields and `name[]` become lists."""
    fields: dict[str, Any] = {}
    for given, value in pairs:
        name = CONTROL.sub("", given.removesuffix("[]"))
        clean = CONTROL.sub("", value)
        if given.endswith("[]"):
            fields.setdefault(name, [])
        known = fields.get(name)
        if known is None:
            fields[name] = clean
        elif isinstance(known, list):
            known.append(clean)
        else:
            fields[name] = [known, clean]
    return fields
