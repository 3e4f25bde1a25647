"""Which addresses requests to targets of users may reach, and that no name leads around it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from outrider.config import Settings
from outrider.kit.guard import ForbiddenTarget, Resolve, check_address, guarded_client
from tests.support.receiver import Receiver, Reply, receiving

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808"]
PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - checked, not bound
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
]
METADATA = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address: str) -> None:
    check_address(address, host="hooks.example.net", allow_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_naming_the_setting(address: str) -> None:
    with pytest.raises(ForbiddenTarget, match="OUTRIDER_ALLOW_PRIVATE_NETWORKS=true"):
        check_address(address, host="hooks.example.net", allow_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_reached_if_allowed(address: str) -> None:
    check_address(address, host="hooks.example.net", allow_private=True)


@pytest.mark.parametrize("address", METADATA)
@pytest.mark.parametrize("allow_private", [True, False])
def test_metadata_and_link_local_addresses_are_never_reached(address: str, allow_private: bool) -> None:
    with pytest.raises(ForbiddenTarget, match="is a link-local or metadata address, which is never reached"):
        check_address(address, host="hooks.example.net", allow_private=allow_private)


def test_the_refusal_shows_where_the_name_led_to() -> None:
    with pytest.raises(ForbiddenTarget, match=r"^hooks\.example\.net \(10\.0\.0\.1\) is a private address"):
        check_address("10.0.0.1", host="hooks.example.net", allow_private=False)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


def table(**known: list[str]) -> Resolve:
    """A DNS of these names only; dots are written as underscores."""

    async def resolve(host: str, _port: int) -> list[str]:
        name = host.replace(".", "_")
        if name not in known:
            raise OSError("unknown")
        return known[name]

    return resolve


def port_of(receiver: Receiver) -> int:
    return httpx.URL(receiver.url).port or 0


async def test_the_connection_goes_to_the_checked_address_under_the_name(
    settings: Settings, receiver: Receiver
) -> None:
    async with guarded_client(settings, resolve=table(hooks_test=["127.0.0.1"])) as http:
        answer = await http.post(f"http://hooks.test:{port_of(receiver)}/x", content=b"{}")
    assert answer.status_code == 200
    assert receiver.requests[0].headers["host"] == f"hooks.test:{port_of(receiver)}"


async def test_a_name_that_leads_to_a_private_address_is_refused(settings: Settings, receiver: Receiver) -> None:
    closed = replace(settings, allow_private_networks=False)
    async with guarded_client(closed, resolve=table(hooks_test=["127.0.0.1"])) as http:
        with pytest.raises(ForbiddenTarget):
            await http.post(f"http://hooks.test:{port_of(receiver)}/x")
    assert receiver.requests == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:7f00:1]"]
)
async def test_no_spelling_of_loopback_gets_through(settings: Settings, receiver: Receiver, host: str) -> None:
    closed = replace(settings, allow_private_networks=False)
    async with guarded_client(closed) as http:
        with pytest.raises(ForbiddenTarget):
            await http.post(f"http://{host}:{port_of(receiver)}/x")
    assert receiver.requests == []


async def test_of_several_addresses_only_the_allowed_are_tried(settings: Settings, receiver: Receiver) -> None:
    resolve = table(hooks_test=["169.254.169.254", "127.0.0.1"])
    async with guarded_client(settings, resolve=resolve) as http:
        answer = await http.post(f"http://hooks.test:{port_of(receiver)}/x")
    assert answer.status_code == 200


async def test_each_connection_asks_again(settings: Settings, receiver: Receiver) -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def rebinding(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    async with guarded_client(settings, resolve=rebinding) as http:
        headers = {"connection": "close"}
        await http.post(f"http://hooks.test:{port_of(receiver)}/x", headers=headers)
        with pytest.raises(ForbiddenTarget):
            await http.post(f"http://hooks.test:{port_of(receiver)}/x", headers=headers)


async def test_an_unknown_name_is_a_failure_to_connect(settings: Settings) -> None:
    async with guarded_client(settings, resolve=table()) as http:
        with pytest.raises(httpx.ConnectError, match=r"The host gone\.test is not known"):
            await http.post("http://gone.test/x")


async def test_a_name_without_addresses_is_a_failure_to_connect(settings: Settings) -> None:
    async with guarded_client(settings, resolve=table(empty_test=[])) as http:
        with pytest.raises(httpx.ConnectError):
            await http.post("http://empty.test/x")


async def test_proxies_of_the_environment_are_not_used(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with guarded_client(settings) as http:
        answer = await http.post(receiver.url)
    assert answer.status_code == 200


async def test_cookies_are_not_kept(settings: Settings, receiver: Receiver) -> None:
    receiver.replies = [Reply(headers={"set-cookie": "a=b"})]
    async with guarded_client(settings) as http:
        await http.post(receiver.url)
        await http.post(receiver.url)
    assert "cookie" not in receiver.requests[1].headers
