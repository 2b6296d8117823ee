"""Widgets and bots from the directory's replica."""

from __future__ import annotations

from typing import NamedTuple

from junctor.directory.v1 import directory_pb2 as directory
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_journal.replica import Replica

from junctor_omnichannel.domain.bot import read
from junctor_omnichannel.domain.commands import BotReading


class Widget(NamedTuple):
    tenant: str
    id: str
    origins: tuple[str, ...]


class DirectoryWidgets:
    """`idle_ms` and `grace_ms` go into every entry point that it makes."""

    def __init__(self, replica: Replica[directory.DirectoryValue], idle_ms: int, grace_ms: int) -> None:
        self._replica = replica
        self._idle_ms = idle_ms
        self._grace_ms = grace_ms

    def find(self, key: str) -> Widget | None:
        """By `<tenant>/<widget>`, or by the widget alone where only one tenant has it."""
        tenant, separator, id = key.rpartition("/")
        items = [item for item in self._replica.all("widget", tenant if separator else None) if item.id == id]
        if len(items) != 1:
            return None
        return Widget(items[0].tenant, items[0].id, tuple(items[0].value.value.widget.origins))

    def entry(self, tenant: str, widget: str) -> pb.EntryPoint | None:
        item = self._replica.get(tenant, "widget", widget)
        if item is None:
            return None
        found = item.value.value.widget
        bot = self._replica.get(tenant, "bot", found.bot) if found.bot else None
        return pb.EntryPoint(
            bot=found.bot if bot else "",
            queue=found.queue,
            greeting=bot.value.value.bot.greeting if bot else "",
            language=found.language,
            idle_ms=self._idle_ms,
            grace_ms=self._grace_ms,
        )

    def reading(self, tenant: str, bot: str, text: str) -> pb.BotReading | None:
        """What the bot makes of the text; None where there is no such bot any more."""
        item = self._replica.get(tenant, "bot", bot)
        if item is None:
            return None
        value = item.value.value.bot
        rules = (
            (tuple(rule.words), BotReading(True, rule.reply, rule.queue, dict(rule.set), tuple(rule.requirements)))
            for rule in value.rules
        )
        found = read(text, rules, value.fallback, value.attempts)
        return pb.BotReading(
            matched=found.matched,
            reply=found.reply,
            queue=found.queue,
            set=found.set,
            requirements=found.requirements,
            fallback=found.fallback,
            attempts=found.attempts,
        )

    def blocked(self, tenant: str, customer_hash: str, now: int) -> bool:
        item = self._replica.get(tenant, "block", customer_hash) if customer_hash else None
        return item is not None and (not item.value.value.block.until or item.value.value.block.until > now)
