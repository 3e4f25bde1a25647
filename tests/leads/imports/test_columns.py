"""Columns find their fields."""

import re

import pytest

from outrider.leads.imports.columns import LeadReader, match_columns
from outrider.leads.imports.models import UnreadableTable
from outrider.leads.imports.table import Table, read_table


def table(header: str, *rows: str) -> Table:
    return read_table("\n".join([header, *rows]).encode(), delimiter=",")


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (
            "email,first_name,last_name,phone_number,company_name,website,location,linkedin_profile,company_url",
            "email first_name last_name phone_number company_name website location linkedin_profile company_url",
        ),
        (
            "E-Mail Address,First Name,LAST NAME,Mobile Phone,Company,Website URL,Location,LinkedIn URL,Company URL",
            "email first_name last_name phone_number company_name website location linkedin_profile company_url",
        ),
        ("Vorname,Nachname,E-Mail-Adresse,Firma,Telefonnummer", "first_name last_name email company_name phone_number"),
        ("Prénom,Nom de famille,Adresse e-mail,Entreprise", "first_name last_name email company_name"),
        ("Nombre,Apellidos,Correo electrónico,Empresa", "first_name last_name email company_name"),
        ("Förnamn,Efternamn,E-post,Företag", "first_name last_name email company_name"),
        ("Voornaam,Achternaam,E-mailadres,Bedrijf", "first_name last_name email company_name"),
        ("emailAddress,firstName,lastName,companyName", "email first_name last_name company_name"),
    ],
)
def test_columns_are_matched_by_their_names_in_several_languages(header: str, fields: str) -> None:
    found = table(header)
    mapping = match_columns(found, {})
    assert [mapping[column] for column in found.columns] == fields.split()


def test_every_column_gets_its_own_field() -> None:
    mapping = match_columns(table("E-Mail Address,Vorname,Title,Größe"), {})
    assert mapping == {"E-Mail Address": "email", "Vorname": "first_name", "Title": "Title", "Größe": "Größe"}


def test_the_very_name_wins_and_others_become_custom_fields() -> None:
    mapping = match_columns(table("Work Email,Email,Mobile,Phone Number,Phone"), {})
    assert mapping == {
        "Work Email": "Work Email",
        "Email": "email",
        "Mobile": "Mobile",
        "Phone Number": "phone_number",
        "Phone": "Phone",
    }


def test_the_callers_mapping_comes_first() -> None:
    mapping = match_columns(
        table("Email,Contact,Company,Notes,Score"),
        {"contact": "E-Mail", "Company": "Account Name", "Notes": None, "score": " Lead score "},
    )
    assert mapping == {
        "Email": "Email",
        "Contact": "email",
        "Company": "company_name",
        "Notes": None,
        "Score": "Lead score",
    }


def test_the_column_with_addresses_is_found_by_its_content() -> None:
    mapping = match_columns(table("Who,Where", "Ada,ada@hexly.io", "Bo,bo@tarn.dev", "Cy,unknown"), {})
    assert mapping == {"Who": "Who", "Where": "email"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, 'No column holds email addresses. Name it in "mapping", or take another file.'),
        ({"Mail": "email"}, "The file has no column Mail."),
    ],
)
def test_what_cannot_be_matched_is_told(given: dict[str, str | None], text: str) -> None:
    with pytest.raises(UnreadableTable, match=re.escape(text)):
        match_columns(table("Who,Where", "Ada,Lund"), given)


def test_too_many_custom_fields_are_refused() -> None:
    names = ",".join(f"field {number}" for number in range(201))
    with pytest.raises(UnreadableTable, match=r"^More than 200 columns"):
        match_columns(table("email," + names), {})
    assert match_columns(table("email," + names), {"field 0": None})["field 0"] is None


def test_a_row_becomes_a_lead_of_what_is_filled() -> None:
    found = table("Email,First Name,Phone,Phone,,Title,Notes", "ada@hexly.io,Ada,,4612,x,CTO,secret")
    mapping = match_columns(found, {"Phone 2": "phone_number", "Notes": None})
    lead = LeadReader(found, mapping).read(next(found.rows()))
    assert lead.email == "ada@hexly.io"
    assert lead.fields == {"first_name": "Ada", "phone_number": "4612"}
    assert lead.custom_fields == {"Title": "CTO"}
