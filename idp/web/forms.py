"""The shapes of the forms (marshmallow). A shape is not a rule: what a value may be is asked of the policies."""

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate, validates_schema
from werkzeug.datastructures import MultiDict

LONGEST = 4096
# What the fields of purposes are called, before their keys.
PURPOSE = "purpose-"


def _text() -> fields.String:
    return fields.String(required=True, validate=validate.Length(min=1, max=LONGEST))


class _Form(Schema):
    """Fields of a form: text, at most 4,096 characters; what is not asked is passed over."""

    class Meta:
        """Unknown fields are passed over."""

        unknown = EXCLUDE


class UsernameAndPassword(_Form):
    """The sign-in page."""

    username = _text()
    password = _text()
    remember = fields.String(load_default="")


class OnePin(_Form):
    """The PIN page."""

    pin = _text()


class OneAnswer(_Form):
    """The answer to a security question."""

    answer = _text()


class NewPassword(_Form):
    """A password, typed twice."""

    password = _text()
    password_again = _text()


class NewPin(_Form):
    """A PIN, typed twice."""

    pin = _text()
    pin_again = _text()


class NewQuestion(_Form):
    """A question and its answer."""

    question = _text()
    answer = _text()


class Decision(_Form):
    """Yes or no to a client's wish."""

    decision = fields.String(required=True, validate=validate.OneOf(("allow", "deny")))


class Code(_Form):
    """A code: an invitation's, or one that was sent."""

    code = _text()


class DeviceCode(_Form):
    """The code that a device shows."""

    user_code = _text()


class CodeOrSend(_Form):
    """A code that was sent, or the wish to have one sent."""

    send = fields.String(load_default="")
    code = fields.String(load_default="", validate=validate.Length(max=LONGEST))

    @validates_schema(skip_on_field_errors=False)
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if not data.get("send") and not data.get("code"):
            raise ValidationError("", "code")


class CodeAndPassword(NewPassword):
    """A code that was sent and, on the same page, a new password."""

    code = _text()


class Named(_Form):
    """What someone is found by who has forgotten something; built with ``only`` what policy asks."""

    username = _text()
    email = _text()
    name = _text()


class NamedWithPassword(Named):
    """The same, with the password or a tick that it is not remembered: then what was typed is not passed on."""

    password = fields.String(load_default="", validate=validate.Length(max=LONGEST))
    no_password = fields.String(load_default="")

    @validates_schema(skip_on_field_errors=False)
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if not data.get("password") and not data.get("no_password"):
            raise ValidationError("", "password")


class OneCapacity(_Form):
    """Which of the capacities a person acts in, by the id that the page showed."""

    capacity = _text()


def _field() -> fields.String:
    return fields.String(load_default="", validate=validate.Length(max=LONGEST))


class Registration(_Form):
    """Who registers; built with ``only`` what policy asks. What may be left empty is not a question of shape."""

    customer_code = _field()
    account_number = _field()
    given_name = _field()
    family_name = _field()
    number = _field()
    email = _field()
    username = _field()
    password = _field()
    password_again = _field()


class Confirmation(CodeOrSend):
    """A registration confirmed elsewhere: name and password, with the code or the wish to have one sent."""

    username = _text()
    password = _text()


class Nothing(_Form):
    """A button alone."""


class Current(_Form):
    """The present secret, which every change in My Profile begins with."""

    current = _text()


class ChangePassword(Current, NewPassword):
    """A new password under the present one; ``end_others`` is ticked to be signed out everywhere else."""

    end_others = fields.String(load_default="")


class ChangePin(Current, NewPin):
    """A new PIN under the present one."""

    end_others = fields.String(load_default="")


class ChangeQuestion(Current, NewQuestion):
    """A new question and its answer, under the password."""

    end_others = fields.String(load_default="")


class ChangeEmail(Current):
    """A new mail address, under the password."""

    email = _text()


class ChangeMobile(Current):
    """A new mobile number, under the password."""

    mobile = _text()


class CustomerClaimed(Current):
    """Whose customer number is to be added, under the password; built with ``only`` what policy matches."""

    account_number = _text()
    customer_code = _text()
    given_name = _text()
    family_name = _text()
    number = _text()


class Details(_Form):
    """Names, which may be nobody's, the language of letters and the time zone."""

    given_name = fields.String(load_default="", validate=validate.Length(max=LONGEST))
    family_name = fields.String(load_default="", validate=validate.Length(max=LONGEST))
    locale = _text()
    zone = _text()


class SecondFactor(_Form):
    """A code that an authenticator app shows, or a recovery code."""

    way = fields.String(required=True, validate=validate.OneOf(("totp", "recovery_code")))
    code = _text()


class ConfirmApp(_Form):
    """The first code of an authenticator app, from the page whose key it belongs to."""

    handle = _text()
    code = _text()


class NewPasskey(Current):
    """The present password, and what the person calls the passkey."""

    name = fields.String(load_default="", validate=validate.Length(max=LONGEST))


class OnePlace(_Form):
    """Which of the places where one is signed in, or of the devices on which one is known, by the id that a page showed."""

    id = fields.String(required=True, validate=validate.Regexp(r"[A-Za-z0-9_-]{1,64}\Z"))


class OneOfMine(Current):
    """The present password, and which of what the account has, by the id that a page showed."""

    id = fields.String(required=True, validate=validate.Regexp(r"[A-Za-z0-9_-]{1,64}\Z"))


class OnePasskey(Current):
    """The present password, and which passkey, by its id: at most 1023 bytes in base64url (WebAuthn 5.1)."""

    id = fields.String(required=True, validate=validate.Regexp(r"[A-Za-z0-9_-]{1,1364}\Z"))


class Passkey(_Form):
    """What a browser made of a challenge, in its JSON form: an attestation can be longer than what people type."""

    passkey = fields.String(required=True, validate=validate.Length(min=1, max=4 * LONGEST))


class Seen(_Form):
    """The mark of what a page showed, to which its button agrees."""

    seen = fields.String(load_default="")


class Purposes(Seen):
    """Answers to purposes, each in a field of its own; what is neither yes nor no is no answer."""

    answers = fields.Dict(keys=fields.String(), values=fields.Boolean())

    @pre_load
    def _gathered(self, data: Mapping[str, str], **_: Any) -> dict[str, Any]:
        said = {name.removeprefix(PURPOSE): value for name, value in data.items() if name.startswith(PURPOSE)}
        answers = {name: value == "yes" for name, value in said.items() if value in ("yes", "no")}
        return {"seen": data.get("seen", ""), "answers": answers}


class Leave(Current):
    """Which service is given back, or "*" for everything, under the password."""

    what = _text()


class Malformed(Exception):  # noqa: N818 - says what the form is
    """A form that no page of ours sends: a field twice, or a value that is no text."""


def read(schema: Schema, form: MultiDict[str, str]) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """The form's values and, by field, the names of what is wrong with their shape. Raises Malformed."""
    single: Mapping[str, str] = {name: values[0] for name, values in form.lists() if len(values) == 1}
    if any(len(values) > 1 for name, values in form.lists() if name in schema.fields):
        raise Malformed
    try:
        return schema.load(single), {}
    except ValidationError as error:
        too_long = {name: len(single.get(name, "")) > LONGEST for name in error.messages_dict}
        return {}, {name: ("too_long" if long else "required",) for name, long in too_long.items()}
