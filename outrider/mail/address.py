"""E-mail addresses: parsing, the canonical spelling, and what a domain says about its owner.

RFC 5321 §4.1.2 (Mailbox), RFC 6531 (UTF-8), RFC 5891 (domains: the A-label is stored, the U-label is shown).
The display name and the header around an address are in `headers`.
"""

import ipaddress
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import idna
from publicsuffixlist import PublicSuffixList

NULL_SENDER = ""  # the reverse-path of bounces, `<>` (RFC 5321 §4.5.5)

MAX_LOCALPART_OCTETS = 64  # RFC 5321 §4.5.3.1.1
MAX_DOMAIN_OCTETS = 253  # RFC 1035 §2.3.4, without the root
MAX_TYPED = 1000  # characters; more is not even looked at
MAX_ADDRESS_OCTETS = 254  # RFC 5321 §4.5.3.1.3, without the brackets (RFC 3696, erratum 1690)

# Copied out of spreadsheets and web pages, they cling to both ends and cannot be seen.
INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff"
_DOT_ATOM = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*")
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*)"')
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_SEPARATORS = re.compile(r"[,;\s]+")


class InvalidAddress(ValueError):
    """Not an address; the text is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """`localpart` as it stands on the wire (quoted if it must be), `domain` in lower-case A-labels."""

    localpart: str
    domain: str

    def __str__(self) -> str:
        return f"{self.localpart}@{self.domain}"

    @property
    def shown(self) -> str:
        """For people: the domain in its own script."""
        return f"{self.localpart}@{shown_domain(self.domain)}"

    @property
    def key(self) -> str:
        """For comparing: in practice no server tells `Nora@` from `nora@`, whatever RFC 5321 §2.4 allows."""
        return f"{self.localpart.lower()}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        return not self.localpart.isascii()

    @property
    def has_public_domain(self) -> bool:
        """Whether the domain can be one of the internet: no IP literal and no bare host name."""
        return "." in self.domain and not self.domain.startswith("[")


def parse_address(text: str) -> Address:
    """Read one bare address; raises InvalidAddress."""
    stripped = text.strip().strip(INVISIBLE).strip()
    localpart, at, domain = stripped.rpartition("@")
    if not at or not localpart or not domain or len(stripped) > MAX_TYPED:
        raise InvalidAddress("An address has the form name@domain.")
    address = Address(_canonical_localpart(localpart), canonical_domain(domain))
    if len(str(address).encode()) > MAX_ADDRESS_OCTETS:
        raise InvalidAddress(f"The address is longer than {MAX_ADDRESS_OCTETS} bytes.")
    return address


def normalise(text: str) -> str:
    """The canonical spelling of an address; raises InvalidAddress."""
    return str(parse_address(text))


def parse_address_list(text: str) -> tuple[Address, ...]:
    """Bare addresses separated by commas, semicolons or white space, as people type them; raises InvalidAddress."""
    return tuple(parse_address(part) for part in _SEPARATORS.split(text) if part.strip(INVISIBLE))


def canonical_domain(text: str) -> str:
    """Lower-case A-labels without the final dot, or an address literal; raises InvalidAddress."""
    if text.startswith("["):
        return _canonical_literal(text)
    domain = text.removesuffix(".").lower()
    if not domain.isascii():
        domain = _a_labels(domain)
    if len(domain) > MAX_DOMAIN_OCTETS or not _DOMAIN.fullmatch(domain):
        raise InvalidAddress("The part after the @ is not a domain.")
    if domain.rpartition(".")[2].isdigit():
        raise InvalidAddress("The part after the @ is not a domain; IP addresses stand in square brackets.")
    return domain


def shown_domain(domain: str) -> str:
    """The domain in its own script; what cannot be decoded stays as it is."""
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain


def domain_of(address: str) -> str:
    """The domain of an address in canonical spelling; "" if there is none."""
    return address.rpartition("@")[2] if "@" in address else ""


def registrable_domain(domain: str) -> str | None:
    """The domain one label below its public suffix (ICANN and private sections); None for suffixes, hosts and IPs."""
    if "." not in domain or domain.startswith("["):
        return None
    registrable: str | None = _public_suffixes().privatesuffix(domain.lower().removesuffix("."))
    return registrable


def is_free_mail(domain: str, *, more: frozenset[str] = frozenset()) -> bool:
    """Whether anybody can have an address there: free-mail providers and ISPs (`rules/free_mail.toml`, plus `more`)."""
    registrable = registrable_domain(domain)
    if registrable is None:
        return False
    known = _free_mail()
    return registrable in known.domains or registrable in more or registrable.partition(".")[0] in known.families


@dataclass(frozen=True, slots=True)
class _FreeMail:
    domains: frozenset[str]
    families: frozenset[str]  # the same name under every public suffix: yahoo.*


@cache
def _free_mail() -> _FreeMail:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "free_mail.toml").read_text(encoding="utf-8"))
    return _FreeMail(domains=frozenset(rules["domains"]), families=frozenset(rules["families"]))


@cache
def _public_suffixes() -> PublicSuffixList:
    """Loaded when first needed: it takes 50 to 80 ms."""
    return PublicSuffixList()


def _canonical_localpart(text: str) -> str:
    if quoted := _QUOTED.fullmatch(text):
        content = re.sub(r"\\(.)", r"\1", quoted[1])
        text = content if _DOT_ATOM.fullmatch(content) else '"' + re.sub(r'(["\\])', r"\\\1", content) + '"'
    elif not _DOT_ATOM.fullmatch(text):
        raise InvalidAddress("The part before the @ has characters or dots where none may be.")
    text = unicodedata.normalize("NFC", text)  # RFC 6532 §3.1
    if not text.isprintable():
        raise InvalidAddress("The part before the @ has characters that cannot be seen.")
    if len(text.encode()) > MAX_LOCALPART_OCTETS:
        raise InvalidAddress(f"The part before the @ is longer than {MAX_LOCALPART_OCTETS} bytes.")
    return text


def _canonical_literal(text: str) -> str:
    """`[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3)."""
    inner = text.removeprefix("[").removesuffix("]")
    is_version_6 = inner[:5].lower() == "ipv6:"
    try:
        if is_version_6:
            return f"[IPv6:{ipaddress.IPv6Address(inner[5:])}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ipaddress.AddressValueError as error:
        raise InvalidAddress("The brackets after the @ hold no IP address.") from error


def _a_labels(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidAddress("The part after the @ is not a domain.") from error
