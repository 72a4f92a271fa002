"""Policy files, sound and hostile: each refusal names file, line, key, what and remedy."""

import json
import re
from dataclasses import fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idp.policies.policy import Policy, RecoveryMethod
from idp.settings import ConfigurationError, canonical, effective, load_policy, read_policy
from idp.settings.durations import format_duration
from idp.settings.policy_reference import sections

PROFILES = sorted((Path(__file__).parents[2] / "config" / "policies").glob("*.toml"))
(SHIPPED,) = [path for path in PROFILES if path.stem == "my-account"]
DAY = timedelta(days=1)


def write(directory: Path, text: str | bytes) -> Path:
    path = directory / "candidate.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(directory: Path, text: str | bytes) -> list[str]:
    path = write(directory, text)
    with pytest.raises(ConfigurationError) as caught:
        load_policy(path)
    return [str(problem).removeprefix(str(path)) for problem in caught.value.problems]


ONE: list[tuple[str | bytes, str]] = [
    (
        'name = "x"\n[lockout]\nthreshold = 2\n',
        ":3: lockout.threshold: 2 is below the floor of 3. Raise it to 3 or more (ASVS 6.3.1).",
    ),
    (
        'name = "x"\n[lockout]\n\ntreshold = 5\n',
        ':4: lockout.treshold: unknown key. Did you mean "threshold"?',
    ),
    (
        'name = "x"\n[logout]\n',
        ':2: logout: unknown key. Did you mean "lockout"?',
    ),
    (
        'name = "x"\n[lockout]\nthreshold = true\n',
        ":3: lockout.threshold: true is not a whole number. Write a whole number, without quotes.",
    ),
    (
        'name = "x"\n[lockout]\nthreshold = "5"\n',
        ':3: lockout.threshold: "5" is not a whole number. Write a whole number, without quotes.',
    ),
    (
        'name = "x"\n[lockout]\nthreshold = 5.0\n',
        ":3: lockout.threshold: 5.0 is not a whole number. Write a whole number, without quotes.",
    ),
    (
        'name = "x"\npin = { enabled = 1 }\n',
        ":2: pin.enabled: 1 is not true or false. Write true or false, without quotes.",
    ),
    (
        'name = "x"\npin = false\n',
        ":2: pin: false is not a table. Write it as [pin] with its keys below.",
    ),
    (
        'name = "x"\n[session]\nidle = "1h30m"\n',
        (
            ':3: session.idle: "1h30m" is not a duration up to 36500d. '
            'Write one number and one unit in quotes: "90s", "30m", "12h" or "120d".'
        ),
    ),
    (
        'name = "x"\n[session]\nidle = "never"\n',
        (
            ':3: session.idle: "never" is not a duration up to 36500d. '
            'Write one number and one unit in quotes: "90s", "30m", "12h" or "120d".'
        ),
    ),
    (
        'name = "x"\n[session]\nremember_me = "always"\n',
        (
            ':3: session.remember_me: "always" is not one of the choices. '
            'Write one of "off", "username", "password_on_known_device".'
        ),
    ),
    (
        'name = "x"\n[registration]\nenrolment = [\n  "password",\n  "pins",\n]\n',
        ':5: registration.enrolment[2]: "pins" is not one of the choices. Write one of "password", "pin", "question".',
    ),
    (
        'name = "x"\n[registration]\nfields = "email"\n',
        ':3: registration.fields: "email" is not a list. Write it in square brackets, with commas between.',
    ),
    (
        'name = "x"\n[security_question]\nquestions = ["pet",\n"pet"]\n',
        ':4: security_question.questions[2]: "pet" is listed twice. Keep one of the two.',
    ),
    (
        'name = "x"\n[temporary_password]\nlifetime = "25h"\n',
        ":3: temporary_password.lifetime: 25h is above the ceiling of 1d. Lower it to 1d or less (NIST SP 800-63B-4 4.2.1.2).",
    ),
    (
        'name = "x"\n[inactivity]\nsuspend_reminders = ["130d"]\n',
        (
            ":3: inactivity.suspend_reminders: a reminder 130d ahead does not fall within the 120d "
            "of inactivity.suspend_after. "
            "Keep each reminder longer than nothing and shorter than 120d."
        ),
    ),
    (
        'name = "x"\n[inactivity]\n\nsuspend_after = "20d"\n',
        (
            ":4: inactivity.suspend_reminders: a reminder 30d ahead does not fall within the 20d of inactivity.suspend_after. "
            "Keep each reminder longer than nothing and shorter than 20d."
        ),
    ),
    (
        'name = "x"\ndigest = "0"\n',
        (
            ":2: digest: unknown key. Remove it, or use one of: about, change, consent, inactivity, leaving, "
            "lockout, name, password, pin, rate_limits, recovery, registration, retention, "
            "second_factor, security_question, session, sign_in, step_up, temporary_password, tokens."
        ),
    ),
    (
        'name = "x"\n[pin]\nlength = 99999999999999999999\n',
        ":3: pin.length: the number is too large. Write at most 9007199254740992.",
    ),
    (
        "[pin]\nlength = 6\n",
        ":1: name: missing. Give the policy a name: audit records carry it.",
    ),
    (
        'name = "x"\n[pin]\nlength = 6\n# again\nlength = 7\n',
        ":5: pin.length: set twice, first on line 3. Keep one of the two.",
    ),
    (
        'name = "x"\n[pin]\nlength = 6\n[pin]\nhistory = 1\n',
        ":4: pin: set twice, first on line 2. Keep one of the two.",
    ),
    (
        'name = "x"\n[pin]\nlength = \n',
        ":3: pin.length: not TOML at column 10: invalid value. Correct the syntax (https://toml.io).",
    ),
    (
        'name = "x"\n[pin\n',
        ":2: pin: not TOML at column 5: expected ']' at the end of a table declaration. Correct the syntax (https://toml.io).",
    ),
    (
        'name = "x"\nabout = "never closed',
        ":2: about: not TOML: unterminated string. Correct the syntax (https://toml.io).",
    ),
    ("", ":1: the file states nothing. Write the policy, at least its name."),
    ("# only a comment\n", ":1: the file states nothing. Write the policy, at least its name."),
    (b'name = "x"\nabout = "\xe8"\n', ":2: the file is not UTF-8. Save it with the encoding UTF-8."),
    (b"#" * 1_000_001, ":1: the file is larger than 1000000 bytes. Keep only configuration in it."),
    ("name = " + "[" * 100_000, ":1: the file nests too deeply. Write it flat."),
    ("name = " + "9" * 5000, ":1: a number in the file has thousands of digits. Write a shorter one."),
    (
        'name = "x"\n"\\u001b[31m" = 1\n',
        (
            ':2: "\\u001b[31m": unknown key. Remove it, or use one of: about, change, consent, inactivity, '
            "leaving, lockout, name, password, "
            "pin, rate_limits, recovery, registration, retention, "
            "second_factor, security_question, session, sign_in, step_up, temporary_password, tokens."
        ),
    ),
]


@pytest.mark.parametrize(("text", "said"), ONE, ids=range(len(ONE)))
def test_a_hostile_file_is_refused_with_its_place_and_remedy(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert refused(tmp_path, text) == [said]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml: the file can't be read: no such file or directory\."):
        load_policy(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="is a directory"):
        load_policy(tmp_path)


def test_all_problems_are_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = '[session]\nidle = "13h"\n[pin]\nlength = 4\nnope = 1\n[step_up]\nsign_in = 7\n'
    assert [line.split(": ")[:2] for line in refused(tmp_path, text)] == [
        [":1", "name"],
        [":2", "session.idle"],
        [":4", "pin.length"],
        [":5", "pin.nope"],
        [":7", "step_up.sign_in"],
    ]


def test_a_contradiction_with_a_key_that_could_not_be_read_is_not_judged(tmp_path: Path) -> None:
    (only,) = refused(tmp_path, 'name = "x"\n[session]\nidle = "13h"\nabsolute = "1 day"\n')
    assert "session.absolute" in only


def bounded(shape: Any, above: str = "") -> list[tuple[str, str, Any, Any]]:
    """Every key with a limit: the key, which limit it is, and a value just beyond it."""
    found = []
    for field in fields(shape):
        value, key = getattr(shape, field.name), f"{above}{field.name}"
        if is_dataclass(value):
            found += bounded(value, f"{key}.")
        for limit, step in (("floor", -1), ("ceiling", 1)):
            edge = field.metadata.get(limit)
            if isinstance(edge, timedelta) and edge + timedelta(seconds=step) >= timedelta(0):
                found.append((key, limit, edge, f'"{format_duration(edge + timedelta(seconds=step))}"'))
            elif isinstance(edge, int):
                found.append((key, limit, edge, edge + step))
    return found


LIMITS = bounded(Policy())


@pytest.mark.parametrize(("key", "limit", "edge", "beyond"), LIMITS, ids=[f"{row[0]}-{row[1]}" for row in LIMITS])
def test_each_floor_and_ceiling_is_held(tmp_path: Path, key: str, limit: str, edge: Any, beyond: Any) -> None:
    (said,) = refused(tmp_path, f'name = "x"\n{key} = {beyond}\n')
    shown = format_duration(edge) if isinstance(edge, timedelta) else edge
    side, verb, bound = ("below", "Raise", "more") if limit == "floor" else ("above", "Lower", "less")
    pattern = rf":2: {re.escape(key)}: \S+ is {side} the {limit} of {shown}\. {verb} it to {shown} or {bound}( \(.+\))?\."
    assert re.fullmatch(pattern, said), said


def test_limits_are_many() -> None:
    assert len(LIMITS) > 60


def test_the_profile_in_force_where_none_is_named_is_made_of_the_defaults() -> None:
    assert effective(load_policy(SHIPPED)) | {"about": ""} == effective(Policy())


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_each_shipped_profile_is_the_whole_law_on_one_page(path: Path) -> None:
    read = read_policy(path)
    assert read.stated == {key for key, _ in leaves(effective(read.policy))}
    assert read.policy.name == path.stem
    assert read.policy.about.endswith(".")
    text = path.read_text("utf-8")
    head, _, _ = text.partition("\nname = ")
    assert all(line.startswith("# ") for line in head.splitlines() if line)
    assert f"`idp policy check config/policies/{path.name}`" in head.replace("\n# ", " ")
    assert all(len(line) <= 128 for line in text.splitlines())


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_each_shipped_profile_has_its_sections_in_the_order_of_the_reference(path: Path) -> None:
    known = [section.name for section in sections(Policy()) if section.entries and section.name]
    known.insert(known.index("consent") + 1, "consent.purposes")
    assert re.findall(r"(?m)^\[([a-z_.]+)\]$", path.read_text("utf-8")) == known


def leaves(table: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in table.items():
        key = f"{above}{name}"
        found += leaves(value, f"{key}.") if isinstance(value, dict) else [(key, value)]
    return found


def test_an_absent_key_has_the_default_of_its_place(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, 'name = "x"\n[recovery.username]\nenabled = false\n'))
    expected = RecoveryMethod(enabled=False, identify_by=("name", "email"), prove_by=(), then="mail_username")
    assert policy.recovery.username == expected


def test_never_unsets_a_duration_that_may_be_unset(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, 'name = "x"\n[inactivity]\nexpire_after = "never"\nsuspend_after = "121d"\n'))
    assert policy.inactivity.expire_after is None
    assert policy.inactivity.suspend_after == 121 * DAY
    assert effective(policy)["inactivity"]["expire_after"] == "never"


def test_the_digest_names_what_is_in_force_and_not_how_it_is_written(tmp_path: Path) -> None:
    stated = load_policy(write(tmp_path, '\ufeffname = "x"\r\n[session]\r\nidle = "1800s" # same\r\n'))
    silent = load_policy(write(tmp_path, 'name = "x"\n'))
    other = load_policy(write(tmp_path, 'name = "x"\n[session]\nidle = "31m"\n'))
    assert re.fullmatch("[0-9a-f]{64}", stated.digest)
    assert stated.digest == silent.digest != other.digest
    assert json.loads(canonical(stated)) == effective(stated)
    assert "digest" not in effective(stated)


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    policy = load_policy(SHIPPED)
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in leaves(effective(policy)))
    assert load_policy(write(tmp_path, text)).digest == policy.digest
