"""The shapes of what receivers write (marshmallow): Shared Signals 1.0, 8.1, and RFC 8936 2.2."""

import re
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from idp.flows.streams import MOST_POLLED, Delivery, Polled, Wish
from idp.model import Stream, StreamStatus
from idp.oauth.errors import InvalidError

PUSH: Final = "urn:ietf:rfc:8935"
POLL: Final = "urn:ietf:rfc:8936"
_MOST_EVENTS: Final = 100
_MOST_TAKEN: Final = 1000
_LONGEST: Final = 2048
# What a header field may be (RFC 9110 5.5), in ASCII.
_HEADER: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\Z", re.ASCII)
# Whatever else is acknowledged was never sent.
_JTI: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def _encodable(text: str) -> None:
    """Half a surrogate pair is no text, though JSON can spell it."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValidationError("Not text in Unicode.")


def _text(longest: int, *, required: bool = False) -> fields.String:
    return fields.String(required=required, validate=(validate.Length(max=longest), _encodable))


class _Shape(Schema):
    class Meta:
        """What is not asked is passed over."""

        unknown = EXCLUDE


class _Delivery(_Shape):
    method = fields.String(required=True, validate=validate.OneOf((PUSH, POLL)))
    endpoint_url = _text(_LONGEST)
    authorization_header = fields.String(allow_none=True, validate=(validate.Length(max=_LONGEST), validate.Regexp(_HEADER)))


class _Stream(_Shape):
    events_requested = fields.List(_text(_LONGEST), validate=validate.Length(max=_MOST_EVENTS))
    delivery = fields.Nested(_Delivery)
    description = _text(_LONGEST)


class _Changed(_Stream):
    stream_id = fields.String(required=True)


class _Status(_Shape):
    stream_id = fields.String(required=True)
    status = fields.Enum(StreamStatus, by_value=True, required=True)
    reason = _text(_LONGEST)


class _Verification(_Shape):
    stream_id = fields.String(required=True)
    state = _text(_LONGEST)


class _Fault(_Shape):
    err = _text(_LONGEST, required=True)
    description = _text(_LONGEST)


class _Poll(_Shape):
    maxEvents = fields.Integer(strict=True, validate=validate.Range(min=0))  # noqa: N815 - RFC 8936's name
    returnImmediately = fields.Boolean(truthy={True}, falsy={False})  # noqa: N815 - as above
    ack = fields.List(fields.String(), validate=validate.Length(max=_MOST_TAKEN))
    setErrs = fields.Dict(fields.String(), fields.Nested(_Fault), validate=validate.Length(max=_MOST_TAKEN))  # noqa: N815


def wish(body: Mapping[str, Any], poll_url: str) -> Wish:
    """What a receiver says of its stream when it begins it, or all of it."""
    return _wish(_read(_Stream(), body), poll_url)


def changed(body: Mapping[str, Any], poll_url: str) -> tuple[str, Wish]:
    """Which stream is to be changed, and to what."""
    read = _read(_Changed(), body)
    return read["stream_id"], _wish(read, poll_url)


def status(body: Mapping[str, Any]) -> tuple[str, StreamStatus, str]:
    """Which stream is to flow, wait or be shut, and why."""
    read = _read(_Status(), body)
    return read["stream_id"], read["status"], read.get("reason", "")


def verification(body: Mapping[str, Any]) -> tuple[str, str | None]:
    """Which stream is to be verified, and the word that is to come back."""
    read = _read(_Verification(), body)
    return read["stream_id"], read.get("state")


def polled(body: Mapping[str, Any]) -> tuple[Polled, bool]:
    """What a receiver that polls has got and wants, and whether it will not wait."""
    read = _read(_Poll(), body)
    got = tuple(dict.fromkeys(jti for jti in read.get("ack", ()) if _JTI.fullmatch(jti)))
    faults = {jti: fault for jti, fault in read.get("setErrs", {}).items() if _JTI.fullmatch(jti)}
    said = {jti: ": ".join(filter(None, (fault["err"], fault.get("description")))) for jti, fault in faults.items()}
    return Polled(read.get("maxEvents", MOST_POLLED), got, said), read.get("returnImmediately", False)


def delivery(stream: Stream, poll_url: str) -> dict[str, str]:
    """How a stream's events travel, as its receiver may read it: the header it gave is shown to nobody."""
    if stream.push_url is None:
        return {"method": POLL, "endpoint_url": poll_url}
    return {"method": PUSH, "endpoint_url": stream.push_url}


def _wish(read: Mapping[str, Any], poll_url: str) -> Wish:
    given = read.get("delivery")
    events = tuple(dict.fromkeys(read["events_requested"])) if "events_requested" in read else None
    return Wish(events, None if given is None else _delivery(given, poll_url), read.get("description"))


def _delivery(given: Mapping[str, Any], poll_url: str) -> Delivery:
    url = given.get("endpoint_url")
    if given["method"] == PUSH:
        if url is None:
            raise InvalidError("The delivery by push has no endpoint_url.")
        return Delivery(url, given.get("authorization_header"))
    if url not in {None, poll_url}:
        raise InvalidError("The endpoint_url of a stream that is polled is ours.")
    return Delivery()


def _read(shape: Schema, body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        read: dict[str, Any] = shape.load(body)
    except ValidationError as error:
        names = ", ".join(sorted(str(name) for name in error.messages_dict))
        raise InvalidError(f"Not as it should be: {names[:200]}.") from error
    return read
