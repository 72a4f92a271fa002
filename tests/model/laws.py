"""Laws of inactivity as portals may have them: spans long and short, one ending or both, reminders or none; how time goes."""

from datetime import timedelta

from hypothesis import strategies as st

from idp.policies.policy import Inactivity

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
_AHEAD = (30 * DAY, 14 * DAY, 3 * DAY)
SPANS: tuple[dict[str, timedelta | None], ...] = (
    {"suspend_after": 120 * DAY, "expire_after": 180 * DAY, "purge_after": 30 * DAY},
    {"suspend_after": 20 * DAY, "expire_after": 31 * DAY, "purge_after": 0 * DAY},
    {"suspend_after": 60 * DAY, "expire_after": 61 * DAY, "purge_after": 5 * DAY},
    {"suspend_after": 45 * DAY, "expire_after": None, "purge_after": None},
    {"suspend_after": None, "expire_after": 90 * DAY, "purge_after": 10 * DAY},
)
JUMPS = st.one_of(
    st.integers(1, 600).map(lambda n: n * SECOND),
    st.integers(1, 40).map(lambda n: n * DAY),
    st.integers(40, 200).map(lambda n: n * DAY + HOUR),
)
LAWS = st.builds(
    lambda spans, listed, required, apart: Inactivity(
        **spans,  # type: ignore[arg-type]
        suspend_reminders=_within(listed, spans["suspend_after"]),
        expire_reminders=_within(listed[apart:] or listed, spans["expire_after"]),
        require_reminders=required and bool(listed),
    ),
    st.sampled_from(SPANS),
    st.sampled_from([_AHEAD, _AHEAD, (3 * DAY,), (10 * DAY, HOUR), ()]),
    st.sampled_from([True, True, True, False]),
    st.integers(0, 1),
)
ACTIVITY = st.sampled_from([("sign_in",), ("sign_in", "refresh")])


def _within(listed: tuple[timedelta, ...], span: timedelta | None) -> tuple[timedelta, ...]:
    return tuple(ahead for ahead in listed if span is not None and ahead < span)
