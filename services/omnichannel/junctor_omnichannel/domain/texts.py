"""What Junctor itself writes to customers, by language; other languages get English."""

from __future__ import annotations

_TEXTS = {
    "en": {
        "joined": "An agent has joined the conversation.",
        "waiting": "You are in line. Somebody will be with you soon.",
        "back": "The connection broke and is back. You keep your place.",
        "ended": "The conversation has ended.",
        "idle": "The conversation was closed because nothing was written for a while.",
        "overflow": "Nobody is free right now. Please write again later.",
        "closed": "We are closed now. Please write again during our business hours.",
        "failure": "Something went wrong on our side. Please write again.",
    },
    "zh": {
        "joined": "客服人员已加入对话。",
        "waiting": "您已进入排队,请稍候。",
        "back": "连接曾中断,现已恢复。您的位置已保留。",
        "ended": "对话已结束。",
        "idle": "由于长时间没有新消息,对话已关闭。",
        "overflow": "目前没有空闲的客服人员,请稍后再来。",
        "closed": "现在是非服务时间,请在服务时间内再来。",
        "failure": "我们这边出了点问题,请重新发消息。",
    },
}


def text(name: str, language: str) -> str:
    """The text of that name; a name that is none is a text itself."""
    texts = _TEXTS.get(language.partition("-")[0], _TEXTS["en"])
    return texts.get(name) or name
