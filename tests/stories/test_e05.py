"""E5: old portal addresses forward to the new ones, by a table; never to anywhere else."""

from collections.abc import Callable

import pytest

from tests.harness import House

TABLE = {
    "/selfcare/login.jsp": "/sign-in",
    "/selfcare/*": "http://localhost:8081/",
    "/sign-in": "/recover",
    "/bills/2004/*": "/profile",
}


@pytest.fixture
def moved(new_house: Callable[..., House]) -> House:
    return new_house("sqlite", environ={"IDP_PROFILE": "self-serve"}, redirects=TABLE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/selfcare/login.jsp", "/sign-in"),
        ("/SelfCare/Login.JSP?user=maria&next=//evil.example", "/sign-in"),
        ("/selfcare/bill.jsp", "http://localhost:8081/"),
        ("/selfcare/", "http://localhost:8081/"),
        ("/selfcare/a/b/c", "http://localhost:8081/"),
        ("/bills/2004/05", "/profile"),
    ],
)
def test_e05_an_old_address_leads_to_the_new_one(moved: House, old: str, new: str) -> None:
    answer = moved.person().get(old)
    assert (answer.status_code, answer.headers["Location"]) == (301, new)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/selfcare", "/bills/2004", "/bills", "/elsewhere", "/selfcare/../elsewhere"])
def test_e05_an_address_that_is_in_no_table_is_not_found(moved: House, path: str) -> None:
    assert moved.person().get(path).status_code == 404


def test_e05_what_a_page_of_ours_answers_no_table_takes_away(moved: House) -> None:
    answer = moved.person().get("/sign-in")
    assert answer.status_code == 303
    assert "/recover" not in answer.headers["Location"]
    assert moved.person().client.post("/selfcare/login.jsp", data={"user": "x"}).status_code == 404


@pytest.mark.parametrize("path", ["//evil.example/selfcare/x", "/selfcare/%0d%0aLocation:%20x", "/selfcare//evil.example"])
def test_e05_nothing_of_the_request_is_passed_on(moved: House, path: str) -> None:
    answer = moved.person().get(path)
    assert answer.status_code == 404 or answer.headers["Location"] == "http://localhost:8081/"
