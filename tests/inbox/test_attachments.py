"""Files that a request names: fetched from a real server, within bounds, or the mail is refused."""

from dataclasses import replace

import pytest

from outrider.config import Settings
from outrider.inbox import attachments
from outrider.inbox.attachments import Wanted, fetch
from outrider.inbox.models import AttachmentUnreachable
from tests.support.receiver import Receiver, Reply, receiving


@pytest.fixture
def open_settings(settings: Settings) -> Settings:
    """The servers of these tests are on loopback."""
    return replace(settings, allow_private_networks=True)


def origin(server: Receiver) -> str:
    return server.url.partition("/hook")[0]


async def test_names_and_types_as_they_are_given_or_as_the_address_and_the_server_say(open_settings: Settings) -> None:
    async with receiving() as server:
        server.replies = [
            Reply(body=b"one", headers={"content-type": "application/pdf; charset=x"}),
            Reply(body=b"two", headers={"content-type": "text/plain"}),
            Reply(302, headers={"location": "/moved/c.bin"}),
            Reply(body=b""),
        ]
        files = await fetch(
            open_settings,
            [
                Wanted(f"{origin(server)}/files/a%20b.pdf?x=1", None, None),
                Wanted(f"{origin(server)}/", "notes.txt", "text/markdown"),
                Wanted(f"{origin(server)}/c", None, None),
            ],
        )
    assert [(file.name, file.type, file.content) for file in files] == [
        ("a b.pdf", "application/pdf", b"one"),
        ("notes.txt", "text/markdown", b"two"),
        ("c.bin", "application/octet-stream", b""),
    ]


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ([Reply(404)], "the server answered 404"),
        ([Reply(is_silent=True)], "Server disconnected"),
        ([Reply(302, headers={"location": "/again"})] * 9, "it leads from one address to another"),
        ([Reply(302, headers={"location": "http://169.254.169.254/latest"})], "which is never reached"),
        ([Reply(body=b"x" * 101)], "all attachments together may have 25 MB"),
        ([Reply(body=b"x" * 60), Reply(body=b"x" * 60)], "all attachments together may have 25 MB"),
    ],
)
async def test_what_cannot_be_had_is_refused(
    open_settings: Settings, monkeypatch: pytest.MonkeyPatch, replies: list[Reply], reason: str
) -> None:
    monkeypatch.setattr(attachments, "MOST_BYTES", 100)
    async with receiving() as server:
        server.replies = list(replies)
        wanted = [Wanted(f"{origin(server)}/a", None, None), Wanted(f"{origin(server)}/b", None, None)]
        with pytest.raises(AttachmentUnreachable) as refusal:
            await fetch(open_settings, wanted)
    assert str(refusal.value).startswith(f"Attachment could not be fetched - {origin(server)}")
    assert reason in str(refusal.value)


async def test_private_addresses_are_not_reached(settings: Settings) -> None:
    async with receiving() as server:
        with pytest.raises(AttachmentUnreachable, match="private address"):
            await fetch(replace(settings, allow_private_networks=False), [Wanted(f"{origin(server)}/a", None, None)])
        assert server.requests == []
