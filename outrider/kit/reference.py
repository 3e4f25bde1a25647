"""The page /docs: the OpenAPI document as plain HTML, without scripts and without anything from elsewhere."""

from base64 import b64encode
from collections import defaultdict
from hashlib import sha256
from html import escape
from itertools import islice
from typing import Any

Document = dict[str, Any]

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
nav a { margin-right: 1rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; }
summary { padding: .4rem .8rem; cursor: pointer; }
details > div { padding: 0 .8rem .8rem; }
b.method { display: inline-block; min-width: 4.5rem; font-family: ui-monospace, monospace; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: var(--soft); padding: .6rem; overflow-x: auto; border-radius: .3rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
"""
STYLE_POLICY = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"


def reference_page(document: Document) -> str:
    groups = _groups(document)
    links = "\n".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in groups)
    sections = "\n".join(_section(document, tag, operations) for tag, operations in groups.items())
    title = escape(f"{document['info']['title']} API {document['info']['version']}")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{escape(document["info"]["description"])}</p>
<p>Send the key as <code>?api_key=</code>, <code>X-API-Key:</code> or <code>Authorization: Bearer</code>.
For tools: <a href="/openapi.json">openapi.json</a>.</p>
<nav>{links}</nav>
</header>
<main>
{sections}
</main>
</body>
</html>
"""


def _groups(document: Document) -> dict[str, list[tuple[str, str, Document]]]:
    """Operations by tag, in the order of registration."""
    groups: dict[str, list[tuple[str, str, Document]]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups[operation["tags"][0]].append((method.upper(), path, operation))
    return groups


def _section(document: Document, tag: str, operations: list[tuple[str, str, Document]]) -> str:
    entries = "\n".join(_entry(document, method, path, operation) for method, path, operation in operations)
    return f'<section>\n<h2 id="{escape(tag)}">{escape(tag)}</h2>\n{entries}\n</section>'


def _entry(document: Document, method: str, path: str, operation: Document) -> str:
    about = f"<p>{escape(operation['description'])}</p>" if "description" in operation else ""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    fields = _fields(document, body) if body is not None else []
    return f"""<details id="{escape(operation["operationId"])}">
<summary><b class="method">{method}</b> <code>{escape(path)}</code> {escape(operation.get("summary", ""))}</summary>
<div>{about}
{_table("Parameters", [_parameter(document, each) for each in operation.get("parameters", ())])}
{_table("Body", fields)}
<pre>{escape(_curl(method, path, fields))}</pre>
</div>
</details>"""


def _table(title: str, rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    cells = "\n".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{escape(note)}</td></tr>"
        for name, kind, note in rows
    )
    return (
        f"<h3>{title}</h3>\n<table><thead><tr><th>name</th><th>type</th><th></th></tr></thead>\n"
        f"<tbody>{cells}</tbody></table>"
    )


def _parameter(document: Document, parameter: Document) -> tuple[str, str, str]:
    schema = parameter.get("schema", {})
    note = _note(schema, is_required=parameter.get("required", False))
    return parameter["name"], _kind(document, schema), f"{parameter['in']}{', ' if note else ''}{note}"


def _fields(document: Document, schema: Document) -> list[tuple[str, str, str]]:
    """The fields of an object; of a list, those of its items."""
    target = _resolved(document, schema)
    if target.get("type") == "array":
        target = _resolved(document, target["items"])
    required = target.get("required", ())
    return [
        (name, _kind(document, field), _note(field, is_required=name in required))
        for name, field in target.get("properties", {}).items()
    ]


def _resolved(document: Document, schema: Document) -> Document:
    reference: str | None = schema.get("$ref")
    if reference is None:
        return schema
    target: Document = document["components"]["schemas"][reference.rpartition("/")[2]]
    return target


def _kind(document: Document, schema: Document) -> str:
    """`integer`, `one of A, B`, `list of string`, `object`."""
    target = _resolved(document, schema)
    if "enum" in target:
        return f"one of {', '.join(str(value) for value in target['enum'])}"
    if "anyOf" in target:
        return " or ".join(_kind(document, each) for each in target["anyOf"])
    if target.get("type") == "array":
        return f"list of {_kind(document, target.get('items', {}))}"
    return str(target.get("format") or target.get("type") or "any")


def _note(schema: Document, *, is_required: bool) -> str:
    notes = ["required"] if is_required else []
    if schema.get("default") is not None:
        notes.append(f"default {schema['default']}")
    for key, word in _LIMITS.items():
        if key in schema:
            notes.append(f"{word} {schema[key]}")
    if "description" in schema:
        notes.append(schema["description"])
    return ", ".join(notes)


_LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "characters at least",
    "maxLength": "characters at most",
    "minItems": "items at least",
    "maxItems": "items at most",
}


def _curl(method: str, path: str, fields: list[tuple[str, str, str]]) -> str:
    lines = [f'curl -X {method} "$OUTRIDER{path}?api_key=$API_KEY"']
    names = [name for name, _kind, note in islice(fields, 3) if note.startswith("required") or method == "POST"]
    if names:
        body = ", ".join(f'"{name}": …' for name in names)
        lines.append(f"  -d '{{{body}}}'")
    return " \\\n".join(lines)
