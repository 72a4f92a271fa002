"""The application for any WSGI server: `granian --interface wsgi wsgi:application`. `idp serve` needs no such file."""

from idp.app.serving import make_application
from idp.settings import from_environment

application = make_application(from_environment())
