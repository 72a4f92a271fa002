"""What is drawn by chance: identifiers that cannot be guessed, and codes that people read, hear and type."""

import secrets

# Sixteen consonants are four bits, four vowels two.
_CONSONANT, _VOWEL = ("bdfghjklmnprstvz", 4), ("aiou", 2)
_SHIFTS = (12, 10, 6, 4, 0)


def _syllables(number: int) -> str:
    """Sixteen bits as consonant, vowel, consonant, vowel, consonant: no two of its letters sound alike (proquints)."""
    letters = []
    for place, (alphabet, width) in enumerate((_CONSONANT, _VOWEL, _CONSONANT, _VOWEL, _CONSONANT)):
        letters.append(alphabet[number >> _SHIFTS[place] & (1 << width) - 1])
    return "".join(letters)


class Randomness:
    """Draws from the operating system's generator."""

    def token(self, size: int = 32) -> str:
        """Random URL-safe text of ``size`` bytes (32: 256 bits)."""
        return secrets.token_urlsafe(size)

    def code(self, groups: int = 8) -> str:
        """Random text people can type: groups of four of Crockford's base 32 (20 bits each)."""
        alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
        return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(groups))

    def spoken(self, bits: int) -> str:
        """Random text that can be read aloud and heard right: syllables of five letters, 16 bits each ("lusab-babad")."""
        return "-".join(_syllables(secrets.randbits(16)) for _ in range(-(-bits // 16)))

    def letters(self, alphabet: str, length: int) -> str:
        """Random text of these letters."""
        return "".join(secrets.choice(alphabet) for _ in range(length))

    def digits(self, length: int) -> str:
        """Random decimal digits."""
        return "".join(secrets.choice("0123456789") for _ in range(length))
