"""The prompt files are measured: format, length, level, and silence kept short at both ends."""

from pathlib import Path

import junctor_ivr
import pytest
from junctor_testkit.audio import RATE, read_wav, rms

PROMPTS = Path(junctor_ivr.__file__).parent / "prompts"
NAMES = ("welcome_menu", "invalid", "no_input", "please_wait", "closed", "goodbye", "overflow")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_is_telephone_audio_at_speaking_level(language: str, name: str):
    (samples,) = read_wav(PROMPTS / language / f"{name}.wav")
    assert 1 <= len(samples) / RATE <= 15
    assert 1500 < rms(samples) < 6000
    assert max(map(abs, samples)) < 32000, "nothing clips"
    loud = [index for index, sample in enumerate(samples) if abs(sample) > 300]
    assert loud[0] < RATE * 0.2
    assert len(samples) - loud[-1] < RATE * 0.3


def test_the_hold_tone_repeats_without_a_click():
    (samples,) = read_wav(PROMPTS / "hold.wav")
    assert abs(samples[0]) < 100
    assert abs(samples[-1]) < 100
    assert rms(samples) > 500


def test_all_prompts_together_are_small():
    files = sorted(path.relative_to(PROMPTS).as_posix() for path in PROMPTS.rglob("*.wav"))
    assert files == sorted(["hold.wav", *(f"{language}/{name}.wav" for language in ("en", "zh") for name in NAMES)])
    assert sum(path.stat().st_size for path in PROMPTS.rglob("*.wav")) <= 1_000_000
