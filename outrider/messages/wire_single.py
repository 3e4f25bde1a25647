"""The contract's spelling of a single mail (contract: email-accounts, Send Single Email)."""

import binascii
from base64 import b64decode
from typing import Annotated, Any

from pydantic import AliasChoices, Field

from outrider.kit.validation import Body, Email, Id, ListOf, Text, Wire, reject
from outrider.mail.attach import File
from outrider.messages.single import SingleMail

_DATA_URL = ";base64,"


class AttachedFile(Wire):
    filename: Annotated[Text, Field(min_length=1)] = Field(
        validation_alias=AliasChoices("filename", "file_name", "name")
    )
    content: str
    mime_type: Text = Field(
        default="application/octet-stream",
        validation_alias=AliasChoices("mimeType", "mime_type", "contentType", "type"),
    )

    def file(self, place: int) -> File:
        """`content` is base64, as it is or as a data URL."""
        try:
            encoded = "".join(self.content.rpartition(_DATA_URL)[2].split())
            content = b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            reject(f'"attachments[{place}].content" must be a valid base64 string', key=f"attachments.{place}.content")
        return File(self.filename, content, self.mime_type)


class SingleSend(Wire):
    to: Email = Field(validation_alias=AliasChoices("to", "to_email"))
    subject: Annotated[Body, Field(min_length=1)]
    body: Annotated[Body, Field(min_length=1)] = Field(validation_alias=AliasChoices("body", "email_body"))
    from_email: Email | None = Field(default=None, validation_alias=AliasChoices("fromEmail", "from_email"))
    from_email_id: Id | None = Field(
        default=None, validation_alias=AliasChoices("fromEmailId", "from_email_id", "email_account_id")
    )
    from_name: Text | None = Field(default=None, validation_alias=AliasChoices("fromName", "from_name"))
    reply_to: Email | None = Field(default=None, validation_alias=AliasChoices("replyTo", "reply_to"))
    attachments: ListOf[AttachedFile] = Field(default_factory=list)

    def check(self) -> None:
        if self.from_email is None and self.from_email_id is None:
            reject('"value" must contain at least one of [fromEmail, fromEmailId]', key="value")

    def mail(self) -> SingleMail:
        return SingleMail(
            to=self.to,
            subject=self.subject,
            body=self.body,
            from_name=self.from_name or None,
            reply_to=self.reply_to,
            files=[each.file(place) for place, each in enumerate(self.attachments)],
        )


def sent(message_id: str, track_id: object) -> dict[str, Any]:
    message = "Email sent successfully"
    data = {"message": message, "message_id": message_id, "trackId": track_id}
    return {"success": True, "ok": True, "message": message, "data": data}
