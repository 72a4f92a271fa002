"""Every letter that a use case sends carries what its template needs: what is missing would be found out by a customer."""

import ast
from pathlib import Path

from idp.post.letters import NEEDS, TEMPLATES

FLOWS = Path(__file__).parents[2] / "idp" / "flows"


def sent() -> dict[str, set[str]]:
    """The letters that flows send, each with the names of its context."""
    found: dict[str, set[str]] = {}
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
                    assert isinstance(template, ast.Constant)
                    if isinstance(context, ast.Dict):
                        names = {key.value for key in context.keys if isinstance(key, ast.Constant)}
                    else:
                        assert isinstance(context, ast.Name)
                        names = contexts[context.id]
                    found[template.value] = names
    return found


def test_each_letter_is_sent_with_all_it_needs():
    letters = sent()
    assert letters.keys() == NEEDS.keys()
    assert {name: set(NEEDS[name]) - context for name, context in letters.items() if set(NEEDS[name]) - context} == {}


def test_what_goes_by_text_message_is_worded_for_it():
    texted = set()
    for path in sorted(set(FLOWS.rglob("*.py")) - {FLOWS / "world.py"}):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr in ("send", "tell") and len(call.args) == 5:
                template = call.args[2]
                assert isinstance(template, ast.Constant)
                if call.func.attr == "tell" or any(keyword.arg == "channel" for keyword in call.keywords):
                    texted.add(template.value)
    assert texted >= {"changed", "recovery_code"}
    assert {name for name in texted if not (TEMPLATES / f"{name}.sms.txt").is_file()} == set()
