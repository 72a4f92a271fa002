"""Every letter that a use case sends carries what its template needs: what is missing would be found out by a customer."""

import ast
from pathlib import Path

from idp.post.letters import NEEDS, TEMPLATES

FLOWS = Path(__file__).parents[2] / "idp" / "flows"


def sent() -> dict[str, set[str]]:
    """The letters that flows send, each with the names of its context."""
    found: dict[str, set[str]] = {}
    tables = {path: _tables(path) for path in FLOWS.rglob("*.py")}
    # The World's own words for telling every address pass a letter on.
    for path in sorted(set(FLOWS.rglob("*.py")) - {FLOWS / "world.py"}):
        tree = ast.parse(path.read_text())
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            contexts = {
                target.id: {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
                for node in ast.walk(function)
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                if isinstance(call.func, ast.Attribute) and call.func.attr in ("send", "tell") and len(call.args) == 5:
                    template, context = call.args[2], call.args[4]
                    if isinstance(context, ast.Dict):
                        names = {key.value for key in context.keys if isinstance(key, ast.Constant)}
                    else:
                        assert isinstance(context, ast.Name)
                        names = contexts[context.id]
                    found |= dict.fromkeys(_named(template, tables[path]), names)
    return found


def _tables(path: Path) -> dict[str, list[str]]:
    """The tables of letters that a module keeps by a name in capitals: what each may come to."""
    return {
        node.target.id: [value.value for value in node.value.values if isinstance(value, ast.Constant)]
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(node.value, ast.Dict)
    }


def _named(template: ast.expr, tables: dict[str, list[str]]) -> list[str]:
    """The letters that an argument names: itself, or one of a table."""
    if isinstance(template, ast.Subscript):
        assert isinstance(template.value, ast.Name)
        return tables[template.value.id]
    assert isinstance(template, ast.Constant)
    return [template.value]


def test_each_letter_is_sent_with_all_it_needs():
    letters = sent()
    assert letters.keys() == NEEDS.keys()
    assert {name: set(NEEDS[name]) - context for name, context in letters.items() if set(NEEDS[name]) - context} == {}


def test_what_goes_by_text_message_is_worded_for_it():
    texted = set()
    for path in sorted(set(FLOWS.rglob("*.py")) - {FLOWS / "world.py"}):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("send", "tell") or len(call.args) != 5:
                continue
            if call.func.attr == "tell" or any(keyword.arg == "channel" for keyword in call.keywords):
                texted |= set(_named(call.args[2], _tables(path)))
    assert texted >= {"changed", "recovery_code", "reactivation_code", "reactivated"}
    assert not texted & {"suspension_reminder", "expiry_reminder"}
    assert {name for name in texted if not (TEMPLATES / f"{name}.sms.txt").is_file()} == set()
