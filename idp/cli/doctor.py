"""``idp doctor``: judges an installation, part by part, each with what to do where it is not well."""

import json
import os
import sys
from dataclasses import asdict
from typing import Final

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from idp.cli.examination import Finding, Grade, examine
from idp.settings import ConfigurationError, config_directory, from_environment

_COLOURS: Final = {Grade.OK: "green", Grade.WARN: "yellow", Grade.FAIL: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def doctor(as_json: bool) -> None:
    """Judge this installation; exit code 1 where something must be mended."""
    findings = _findings()
    failed = any(finding.grade is Grade.FAIL for finding in findings)
    if as_json:
        click.echo(json.dumps({"healthy": not failed, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        Console().print(_table(findings))
    sys.exit(1 if failed else 0)


def _findings() -> list[Finding]:
    environ = os.environ  # noqa: TID251 - handed to the settings, which read it
    try:
        settings = from_environment()
    except ConfigurationError as refused:
        return [
            Finding("settings", Grade.FAIL, f"{problem.file}:{problem.line}: {problem.key}: {problem.what}", problem.remedy)
            for problem in refused.problems
        ]
    sound = Finding("settings", Grade.OK, f"{config_directory(environ)} is sound; issuer {settings.issuer}")
    return [sound, *examine(settings, environ)]


def _table(findings: list[Finding]) -> Table:
    table = Table(show_lines=False)
    for heading in ("part", "", "finding", "remedy"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        colour = _COLOURS[finding.grade]
        grade = f"[{colour}]{finding.grade.value}[/{colour}]"
        table.add_row(escape(finding.part), grade, escape(finding.what), escape(finding.remedy))
    return table
