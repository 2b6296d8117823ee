"""How a bot reads messages."""

import pytest
from junctor_omnichannel.domain.bot import read, says
from junctor_omnichannel.domain.commands import BotReading


@pytest.mark.parametrize(
    ("text", "word", "matches"),
    [
        ("My LOAN, please", "loan", True),
        ("loans", "loan", False),
        ("a credit card?", "credit card", True),
        ("discard it", "card", False),
        ("我想办理贷款业务", "贷款", True),
        ("ｌｏａｎ", "loan", True),
        ("what?", "?", True),
        ("anything", "", False),
    ],
)
def test_a_word_matches_as_a_word(text, word, matches):
    assert says(text, [word]) is matches


def test_the_first_rule_that_matches_wins_and_none_is_the_fallback():
    rules = [(("card",), BotReading(True, "first")), (("card", "loan"), BotReading(True, "second"))]
    assert read("card and loan", rules, "?", 0).reply == "first"
    assert read("loan", rules, "?", 0).reply == "second"
    assert read("hm", rules, "?", 0) == BotReading(fallback="?", attempts=2)
