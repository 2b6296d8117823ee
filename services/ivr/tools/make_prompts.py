"""Makes the spoken prompts and the hold tone of `junctor_ivr/prompts`: `python services/ivr/tools/make_prompts.py`.

Needs espeak-ng and sox (Debian packages) now; at run time the files are all there is.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
import wave
from array import array
from pathlib import Path

PROMPTS = Path(__file__).parents[1] / "junctor_ivr" / "prompts"
RATE = 8000
VOICES = {"en": ("en-us", 165), "zh": ("cmn-latn-pinyin", 220)}
"""espeak-ng voice and words a minute. Pinyin stands where the dictionary reads a character wrongly (行 in 银行)."""
TEXTS = {
    "en": {
        "welcome_menu": (
            "Welcome to the demo bank. For cards, press 1. For loans, press 2. For anything else, press 3."
        ),
        "invalid": "Sorry, that is not a valid choice.",
        "no_input": "Sorry, we did not receive your choice.",
        "please_wait": "Please wait. We are connecting you to an agent.",
        "closed": "We are closed at the moment. Please call again during our opening hours.",
        "goodbye": "Thank you for calling. Goodbye.",
        "overflow": "All lines are down at the moment. Please call again later.",
    },
    "zh": {
        "welcome_menu": ("欢迎致电示范 yin2hang2。 yin2hang2 卡业务,请按一。贷款业务,请按二。其他业务,请按三。"),
        "invalid": "对不起,您的选择无效。",
        "no_input": "对不起,我们没有收到您的选择。",
        "please_wait": "请稍候,正在为您接通客服。",
        "closed": "现在是非工作时间,请您在工作时间再来电。",
        "goodbye": "感谢您的来电,再见。",
        "overflow": "线路暂时中断,请您稍后再拨。",
    },
}
TRIM = ["silence", "1", "0.02", "0.5%"]
SHAPE = [
    *("highpass", "150", "lowpass", "3500"),
    *TRIM,
    "reverse",
    *TRIM,
    "reverse",
    *("pad", "0.05", "0.1", "norm", "-3", "gain", "-l", "4", "norm", "-3"),
]
"""Telephone band, trimmed, then limited and normalised to a peak of -3 dBFS."""
HOLD = ((262, 330), (294, 349), (330, 392), (294, 349))
"""Pairs of notes in Hz, one second each."""


def speak(language: str, name: str, text: str) -> None:
    voice, speed = VOICES[language]
    target = PROMPTS / language / f"{name}.wav"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        raw = Path(directory) / "raw.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-a", "80", "-w", str(raw), text], check=True)
        form = ["-r", str(RATE), "-c", "1", "-b", "16", "-e", "signed-integer"]
        subprocess.run(["sox", "-R", "-v", "0.7", str(raw), *form, str(target), *SHAPE], check=True)


def hold() -> None:
    """Soft notes that swell and fade; the end is silent as the beginning, so the file repeats without a click."""
    samples = array("h")
    for pair in HOLD:
        for n in range(RATE):
            swell = math.sin(math.pi * n / RATE) ** 2
            samples.append(round(2500 * swell * sum(math.sin(2 * math.pi * hz * n / RATE) for hz in pair)))
    with wave.open(str(PROMPTS / "hold.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


if __name__ == "__main__":
    for language, texts in TEXTS.items():
        for name, text in texts.items():
            speak(language, name, text)
    hold()
