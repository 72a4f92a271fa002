"""The ``idp policy`` commands and the page generated from policy.py."""

from pathlib import Path

from click.testing import CliRunner

from idp.cli.policy import policy
from idp.policies.policy import Policy
from idp.settings import profile_comparison
from idp.settings.policy_reference import reference, sections
from idp.settings.profile_comparison import comparison, profiles

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "policies" / "my-account.toml"


def test_docs_policy_is_current() -> None:
    assert (ROOT / "docs" / "policy.md").read_text("utf-8") == reference(), "run: idp policy docs > docs/policy.md"


def test_docs_prints_the_reference() -> None:
    result = CliRunner().invoke(policy, ["docs"])
    assert (result.exit_code, result.output) == (0, reference())


def test_docs_profiles_is_current() -> None:
    page = comparison(profiles(SHIPPED.parent))
    assert (ROOT / "docs" / "profiles.md").read_text("utf-8") == page, "run: idp policy profiles > docs/profiles.md"


def test_profiles_prints_that_page() -> None:
    result = CliRunner().invoke(policy, ["profiles", "--folder", str(SHIPPED.parent)])
    assert (result.exit_code, result.output) == (0, comparison(profiles(SHIPPED.parent)))


def test_profiles_compares_what_differs_and_counts(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(
        '# "One": for one of us. Every rule in force is here.\n\nname = "one"\nsession.idle = "20m"\n'
    )
    (tmp_path / "two.toml").write_text(
        'name = "two"\nabout = "For two."\nregistration.enrolment = ["password", "question"]\n'
        'pin = { enabled = false, length = 8 }\nstep_up.sign_in = "pwd"\n'
    )
    page = CliRunner().invoke(policy, ["profiles", "--folder", str(tmp_path)]).output
    assert "**`one`**: For one of us.\n" in page
    assert "**`two`**: For two.\n" in page
    rows = [line.split(" | ")[1:] for line in page.splitlines() if line.startswith("| `session.idle`<br>")]
    assert rows == [["20m", "30m |"]]
    assert "`pin.enabled`" in page
    assert "pin.length" not in page
    assert "tokens." not in page


def test_profiles_knows_every_section() -> None:
    assert set(profile_comparison._TITLES) == {section.name for section in sections(Policy()) if section.name}


def test_profiles_refuses_what_check_refuses(tmp_path: Path) -> None:
    result = CliRunner().invoke(policy, ["profiles", "--folder", str(tmp_path)])
    assert (result.exit_code, result.stderr) == (1, f"Error: {tmp_path} holds no profiles.\n")
    (tmp_path / "bad.toml").write_text("")
    result = CliRunner().invoke(policy, ["profiles", "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert "states nothing" in result.stderr


def test_check_says_one_calm_line_with_the_digest() -> None:
    result = CliRunner().invoke(policy, ["check", str(SHIPPED)])
    assert result.exit_code == 0
    (line,) = result.output.splitlines()
    assert line.startswith(f"{SHIPPED}: sound. Policy my-account, digest ")
    assert len(line.rpartition(" ")[2]) == 64


def test_check_tells_every_problem_and_fails(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('name = "x"\n[lockout]\nthreshold = 2\nwindow = "soon"\n')
    result = CliRunner().invoke(policy, ["check", str(file)])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [f"{file}:3", f"{file}:4"]


def test_check_of_no_file_fails_calmly(tmp_path: Path) -> None:
    result = CliRunner().invoke(policy, ["check", str(tmp_path / "none.toml")])
    assert result.exit_code == 1
    assert "can't be read" in result.stderr


def test_show_marks_defaults(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "[bold]x"\n[lockout]\nthreshold = 6\n')
    result = CliRunner().invoke(policy, ["show", str(file)])
    assert result.exit_code == 0
    rows = {cells[1].strip(): cells for line in result.output.splitlines() if len(cells := line.split("│")) > 5}
    assert [cell.strip() for cell in rows["lockout.threshold"][2:4]] == ["6", "set"]
    assert [cell.strip() for cell in rows["lockout.duration"][2:4]] == ['"30m"', "default"]
    assert "Failures within the window" in rows["lockout.threshold"][4]
    assert "ASVS 6.3.1" in rows["lockout.threshold"][5]
    assert rows["name"][2].strip() == '"[bold]x"'


def test_show_refuses_what_check_refuses(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("")
    result = CliRunner().invoke(policy, ["show", str(file)])
    assert result.exit_code == 1
    assert "states nothing" in result.stderr
