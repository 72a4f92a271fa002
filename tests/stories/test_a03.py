"""A3: every later sign-in is username and password, then a separate PIN page."""

from tests.harness import House


def test_a03_later_sign_ins_ask_username_and_password_and_then_a_separate_pin_page(house: House) -> None:
    maria = house.customer()
    page = maria.open("/sign-in")
    assert page.step == "AskUsernameAndPassword"
    assert "pin" not in page.fields
    page = maria.fill(page, username=maria.username, password=maria.password)
    assert page.status == 200
    assert page.step == "AskPin"
    assert "password" not in page.fields
    assert not maria.signed_in()
    page = maria.fill(page, pin=maria.pin)
    assert page.status == 200
    assert page.heading == "Hello, Maria Rossi"
    assert maria.signed_in()
