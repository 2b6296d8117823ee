"""Prompts by id and language, as files."""

import wave

import pytest
from junctor_cti.adapters.prompts import Prompts


@pytest.fixture
def folder(tmp_path):
    for name, frames in (("en/menu", 80), ("zh/menu", 160), ("en/only", 240), ("hold", 320)):
        path = tmp_path / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(8_000)
            out.writeframes(b"\x01\x02" * frames)
    (tmp_path.parent / "outside.wav").write_bytes(b"RIFF")
    return tmp_path


@pytest.mark.parametrize(
    ("prompt", "language", "found"),
    [
        ("menu", "zh", "zh/menu.wav"),
        ("only", "zh", "en/only.wav"),
        ("hold", "zh", "hold.wav"),
        ("menu", "", "en/menu.wav"),
        ("menu", "fr", "en/menu.wav"),
    ],
)
def test_a_prompt_is_found_in_its_language_or_the_next_best(folder, prompt, language, found):
    assert Prompts(folder).wav((prompt,), language) == (folder / found).resolve()


@pytest.mark.parametrize("prompt", ["none", "../outside", "en/menu", "", "Menu", ".menu", "menu\n", "menu.wav\0"])
def test_what_is_no_prompt_is_named_in_the_error(folder, prompt):
    with pytest.raises(FileNotFoundError, match="there is no prompt"):
        Prompts(folder).wav((prompt,), "en")


@pytest.mark.parametrize("language", ["..", "../x", "EN", "/etc"])
def test_a_language_that_is_none_finds_nothing(folder, language):
    with pytest.raises(FileNotFoundError, match="for language"):
        Prompts(folder).wav(("menu",), language)


def test_several_prompts_are_joined_in_their_order(folder):
    joined = Prompts(folder).wav(("menu", "only", "hold"), "en")
    path = folder / "joined.wav"
    path.write_bytes(joined)
    with wave.open(str(path)) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate()) == (1, 2, 8_000)
        assert read.getnframes() == 80 + 240 + 320


def test_one_missing_among_several_is_named(folder):
    with pytest.raises(FileNotFoundError, match="'gone'"):
        Prompts(folder).wav(("menu", "gone"), "en")
