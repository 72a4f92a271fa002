"""The heart of it once more on PostgreSQL and Redis: the first sign-in, a name that is blocked, a reset, and tokens."""

from tests.harness import House
from tests.profiles import test_first_sign_in, test_recovery, test_sign_in, test_tokens


def test_the_first_sign_in(served: House) -> None:
    test_first_sign_in.test_every_piece_is_asked_in_the_policy_s_order_and_only_then_is_there_a_token(served)


def test_a_name_is_blocked_and_opens_again(served: House) -> None:
    test_sign_in.test_a_name_is_blocked_at_the_threshold_for_as_long_as_the_policy_says(served)


def test_a_forgotten_password(served: House) -> None:
    test_recovery.test_the_proofs_are_the_policy_s_and_the_old_password_and_everything_open_are_dead_afterwards(served)


def test_tokens_for_both_backends(served: House) -> None:
    test_tokens.test_each_backend_gets_a_token_of_its_own_and_the_refresh_token_rotates(served)
