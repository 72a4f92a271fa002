"""Identity and authentication service: sign-in, credential life and OpenID Connect tokens for a customer portal."""

__version__ = "0.1.0"
