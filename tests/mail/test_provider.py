"""Hosts and the providers they belong to."""

import pytest

from outrider.mail.provider import Provider, provider_of


@pytest.mark.parametrize(
    ("hosts", "provider"),
    [
        (["aspmx.l.google.com", "alt1.aspmx.l.google.com"], "GOOGLE"),
        (["smtp.google.com"], "GOOGLE"),
        (["gmail-smtp-in.l.google.com"], "GOOGLE"),
        (["acme-example.mail.protection.outlook.com"], "MICROSOFT"),
        (["acme-example.a-v1.mx.microsoft"], "MICROSOFT"),
        (["outlook-com.olc.protection.outlook.com"], "MICROSOFT"),
        (["smtp.office365.com"], "MICROSOFT"),
        (["mx.zoho.com", "mx2.zoho.com"], "ZOHO"),
        (["mx.zoho.eu"], "ZOHO"),
        (["mta5.am0.yahoodns.net"], "YAHOO"),
        (["smtp.mail.yahoo.com"], "YAHOO"),
        (["eu-smtp-inbound-1.mimecast.com"], "GATEWAY"),
        (["mxa-00169c01.gslb.pphosted.com"], "GATEWAY"),
        (["d12345.ess.barracudanetworks.com"], "GATEWAY"),
        (["mx1.hc1234-56.iphmx.com"], "GATEWAY"),
        (["mx.acme.example"], "OTHER"),
        (["notgoogle.com", "google.com.acme.example"], "OTHER"),
        (["MX.ZOHO.COM."], "ZOHO"),
        (["mx.acme.example", "aspmx.l.google.com"], "GOOGLE"),  # a host of its own in front
        (["mx1.mimecast.com", "aspmx.l.google.com"], "GATEWAY"),
        ([], "OTHER"),
        ([""], "OTHER"),
    ],
)
def test_a_host_name_gives_its_provider_away(hosts: list[str], provider: str) -> None:
    assert provider_of(hosts) is Provider(provider)
