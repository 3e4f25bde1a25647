"""A mail provider on loopback that speaks OAuth only: a token server, and SMTP and IMAP that take its tokens (XOAUTH2).

As Google and Microsoft document it: `user=…^Aauth=Bearer …^A^A`; a refusal is a challenge that wants an empty answer.
"""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from outrider.config import Endpoints
from tests.support.receiver import Receiver, Reply, Request, receiving

_CHALLENGE = "eyJzdGF0dXMiOiI0MDAifQ=="


@dataclass(slots=True)
class TokenProvider:
    """`valid` are the access tokens the servers take, `refresh_tokens` what the token server takes."""

    oauth: Receiver
    valid: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=lambda: {"refresh-1"})
    rotates: bool = False
    error: tuple[int, dict[str, str]] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    log_ins: list[tuple[str, str]] = field(default_factory=list)
    endpoints: Endpoints | None = None

    async def grant(self, request: Request) -> Reply:
        """RFC 6749 §5: a new access token, or an error object with 400."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        self.asked.append(form)
        if self.error is not None:
            return _json(*self.error)
        if form["refresh_token"] not in self.refresh_tokens:
            return _json(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
        token = f"access-{len(self.asked)}"
        self.valid = {token}
        said: dict[str, object] = {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
        if self.rotates:
            rotated = f"refresh-{len(self.asked) + 1}"
            self.refresh_tokens = {rotated}
            said["refresh_token"] = rotated
        return _json(200, said)

    def takes(self, protocol: str, encoded: str) -> bool:
        user, bearer = b64decode(encoded).decode().removesuffix("\x01\x01").split("\x01")
        token = bearer.removeprefix("auth=Bearer ")
        self.log_ins.append((protocol, user.removeprefix("user=")))
        return token in self.valid

    async def smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := (await reader.readline()).decode().strip():
            verb, _, rest = line.partition(" ")
            if verb == "EHLO":
                writer.write(b"250-provider\r\n250 AUTH XOAUTH2\r\n")
            elif verb == "AUTH" and not self.takes("SMTP", rest.split()[1]):
                writer.write(f"334 {_CHALLENGE}\r\n".encode())
                await reader.readline()
                writer.write(b"535 5.7.8 Username and Password not accepted\r\n")
            elif verb == "AUTH":
                writer.write(b"235 2.7.0 Accepted\r\n")
            else:
                writer.write(b"221 bye\r\n")
                break
        writer.close()

    async def imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        while line := (await reader.readline()).decode().strip():
            tag, command, *rest = line.split()
            if command == "CAPABILITY":
                writer.write(f"* CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2\r\n{tag} OK done\r\n".encode())
            elif command == "AUTHENTICATE" and not self.takes("IMAP", rest[1]):
                writer.write(f"+ {_CHALLENGE}\r\n".encode())
                await reader.readline()
                writer.write(f"{tag} NO [AUTHENTICATIONFAILED] Invalid credentials\r\n".encode())
            elif command == "SELECT":
                writer.write(f"* OK [UIDVALIDITY 7] v\r\n* OK [UIDNEXT 1] n\r\n{tag} OK done\r\n".encode())
            elif command == "LOGOUT":
                writer.write(f"* BYE\r\n{tag} OK done\r\n".encode())
                break
            else:
                writer.write(f"{tag} OK done\r\n".encode())
        writer.close()


def _json(status: int, said: object) -> Reply:
    return Reply(status=status, headers={"content-type": "application/json"}, body=json.dumps(said).encode())


@asynccontextmanager
async def token_provider() -> AsyncIterator[TokenProvider]:
    async with receiving() as oauth:
        provider = TokenProvider(oauth)
        oauth.answer = provider.grant
        smtp = await asyncio.start_server(provider.smtp, "127.0.0.1", 0)
        imap = await asyncio.start_server(provider.imap, "127.0.0.1", 0)
        ports = [server.sockets[0].getsockname()[1] for server in (smtp, imap)]
        provider.endpoints = Endpoints(
            oauth.url.partition("?")[0], ("127.0.0.1", ports[0], "NONE"), ("127.0.0.1", ports[1], "NONE")
        )
        try:
            yield provider
        finally:
            smtp.close()
            imap.close()
