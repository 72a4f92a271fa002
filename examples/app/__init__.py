"""An app that signs in by the system's browser and keeps a refresh token that rotates (RFC 8252, RFC 7636, RFC 9700)."""
