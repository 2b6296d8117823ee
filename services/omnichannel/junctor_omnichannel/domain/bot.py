"""How a bot reads a message: the first rule with a word of the message wins."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from junctor_omnichannel.domain.commands import BotReading

DEFAULT_ATTEMPTS = 2


def says(text: str, words: Iterable[str]) -> bool:
    """Whether the text has one of the words, in any case.

    Words of letters that are written apart match whole words; others (Chinese) match anywhere.
    """
    plain = _plain(text)
    for word in words:
        wanted = _plain(word).strip()
        if wanted and (wanted in plain if _unspaced(wanted) else re.search(_whole(wanted), plain)):
            return True
    return False


def read(text: str, rules: Iterable[tuple[tuple[str, ...], BotReading]], fallback: str, attempts: int) -> BotReading:
    """The reading of the first matching rule; without one, the fallback."""
    for words, reading in rules:
        if says(text, words):
            return reading
    return BotReading(fallback=fallback, attempts=attempts or DEFAULT_ATTEMPTS)


def _whole(word: str) -> str:
    """A pattern of the word with no letter or digit that goes on before or after it."""
    before = r"(?<!\w)" if word[0].isalnum() else ""
    after = r"(?!\w)" if word[-1].isalnum() else ""
    return f"{before}{re.escape(word)}{after}"


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _unspaced(word: str) -> bool:
    """Whether the word is of a script that puts no spaces between words (CJK)."""
    return any("\u2e80" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7af" for letter in word)
