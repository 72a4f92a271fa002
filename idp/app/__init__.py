"""The composition root: the only place that constructs the machines and wires the doors to them."""

from idp.app.factory import create_app

__all__ = ["create_app"]
