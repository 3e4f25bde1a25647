"""Which column is which field: by mapping, by name in several languages, the address by its content too."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from outrider.leads.emails import email_key
from outrider.leads.imports.models import UnreadableTable
from outrider.leads.imports.table import Row, Table
from outrider.leads.judging import NewLead
from outrider.leads.models import LEAD_FIELDS

EMAIL = "email"
MAX_CUSTOM_FIELDS = 200  # contract: leads, Add leads to a campaign by ID
_SAMPLE_ROWS = 50
_NO_LETTER = re.compile(r"[\W_]+")

# Spellings as tools and people write them, without case, accents, blanks and signs; en, de, fr, es, it, pt, nl, sv.
_NAMES: Mapping[str, str] = {
    "email": "email emailaddress mail mailaddress workemail businessemail primaryemail contactemail leademail"
    " personemail email1 emailadresse mailadresse courriel adressemail adresseemail adresseelectronique correo"
    " correoelectronico indirizzoemail posta enderecodeemail emailadres epost epostadress mejl",
    "first_name": "firstname first fname givenname forename contactfirstname vorname prenom nombre nombredepila nome"
    " primeironome voornaam fornamn",
    "last_name": "lastname last lname surname familyname contactlastname nachname familienname nom nomdefamille"
    " apellido apellidos cognome sobrenome achternaam efternamn",
    "phone_number": "phonenumber phone telephone telephonenumber tel mobile mobilephone mobilenumber cell cellphone"
    " workphone directphone telefon telefonnummer mobil handy numerodetelephone telefono numerodetelefono telefone"
    " telefoon telefoonnummer mobilnummer",
    "company_name": "companyname company organization organisation organizationname account accountname business"
    " businessname employer firma firmenname unternehmen entreprise societe empresa azienda bedrijf bedrijfsnaam"
    " foretag foretagsnamn",
    "website": "website web url site homepage websiteurl companywebsite webseite siteweb sitioweb sitoweb hemsida",
    "location": "location standort ort lieu localisation ubicacion localita localizacao locatie plats",
    "linkedin_profile": "linkedinprofile linkedin linkedinurl linkedinprofileurl linkedinlink personlinkedinurl"
    " linkedinprofil profillinkedin perfildelinkedin",
    "company_url": "companyurl companydomain organizationurl",
}
_FIELDS: Mapping[str, str] = {spelling: name for name, spellings in _NAMES.items() for spelling in spellings.split()}


def match_columns(table: Table, given: Mapping[str, str | None]) -> dict[str, str | None]:
    """The field of every named column, None for those that are left out; `given` by the caller comes first.

    A field has one column, best the one with its very name; another one becomes a custom field, as does every name
    that is not known.
    """
    chosen = _chosen(table, given)
    taken = {field for field in chosen.values() if field}
    mapping: dict[str, str | None] = {}
    for column in sorted(filter(None, table.columns), key=_is_synonym):
        if column in chosen:
            mapping[column] = chosen[column]
            continue
        field = _FIELDS.get(_bare(column), column)
        mapping[column] = column if field in taken else field
        taken.add(field)
    if EMAIL not in mapping.values():
        mapping[_column_with_addresses(table, chosen)] = EMAIL
    _check_custom_fields(mapping)
    return mapping


def _chosen(table: Table, given: Mapping[str, str | None]) -> dict[str, str | None]:
    """The mapping of the caller, columns by their own names, standard fields by any spelling."""
    by_name = {_bare(column): column for column in reversed(table.columns) if column}
    chosen: dict[str, str | None] = {}
    for name, field in given.items():
        column = name if name in table.columns else by_name.get(_bare(name))
        if not column:
            raise UnreadableTable(f"The file has no column {name}.")
        chosen[column] = _FIELDS.get(_bare(field), field.strip()) if field and field.strip() else None
    return chosen


def _is_synonym(column: str) -> bool:
    bare = _bare(column)
    return _bare(_FIELDS.get(bare, bare)) != bare


def _bare(name: str) -> str:
    """`E-Mail Address` and `e_mail address` are the same; `Prénom` is `prenom`."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return _NO_LETTER.sub("", "".join(letter for letter in decomposed if not unicodedata.combining(letter)))


def _column_with_addresses(table: Table, chosen: Mapping[str, str | None]) -> str:
    """The first column most of whose cells are addresses."""
    sample = list(islice(table.rows(), _SAMPLE_ROWS))
    for place, column in enumerate(table.columns):
        found = sum(1 for row in sample if email_key(row.cells[place]))
        if column and column not in chosen and found * 2 > len(sample):
            return column
    raise UnreadableTable('No column holds email addresses. Name it in "mapping", or take another file.')


def _check_custom_fields(mapping: Mapping[str, str | None]) -> None:
    standard = {EMAIL, *LEAD_FIELDS}
    if sum(1 for field in mapping.values() if field and field not in standard) > MAX_CUSTOM_FIELDS:
        raise UnreadableTable(
            f'More than {MAX_CUSTOM_FIELDS} columns would become custom fields. Leave some out by "mapping".'
        )


class LeadReader:
    """Makes leads of rows, by a mapping."""

    def __init__(self, table: Table, mapping: Mapping[str, str | None]) -> None:
        fields = [mapping.get(column) if column else None for column in table.columns]
        self._email = fields.index(EMAIL)
        self._standard = [(place, field) for place, field in enumerate(fields) if field in LEAD_FIELDS]
        self._custom = [
            (place, field)
            for place, field in enumerate(fields)
            if field is not None and field != EMAIL and field not in LEAD_FIELDS
        ]

    def read(self, row: Row) -> NewLead:
        return NewLead(row.cells[self._email], _filled(row, self._standard), _filled(row, self._custom))

    def emails(self, rows: Iterable[Row]) -> set[str]:
        """The addresses in these rows that can be read."""
        return {key for row in rows if (key := email_key(row.cells[self._email]))}


def _filled(row: Row, places: Iterable[tuple[int, Any]]) -> dict[str, str]:
    """Cells that are not empty; of two columns for one field the first one that is filled."""
    values: dict[str, str] = {}
    for place, field in places:
        if row.cells[place]:
            values.setdefault(field, row.cells[place])
    return values
