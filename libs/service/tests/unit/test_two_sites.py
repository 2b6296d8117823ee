"""Settings of two sites that cannot be used are refused with a sentence."""

import pytest
from junctor_journal.kafka import KafkaLog
from junctor_service.settings import CommonSettings, SettingsError, load_settings
from junctor_service.two_sites import SiteLead, two_sites

BASE = {
    "JUNCTOR_JWKS": "/nowhere",
    "JUNCTOR_TOKEN_URL": "http://127.0.0.1:1/token",
    "JUNCTOR_TOKEN_SECRET": "secret",
    "JUNCTOR_SITE": "a",
}
VOTERS = "a=127.0.0.1:1,b=127.0.0.1:2,w=127.0.0.1:3"


def sites(**more):
    settings = load_settings(CommonSettings, service="router", environ={**BASE, **more})
    return two_sites("router", settings, KafkaLog("127.0.0.1:1"))


def test_one_site_needs_nothing():
    assert sites() is None


def test_the_other_sites_kafka_is_a_part_only_where_it_is_named():
    found = sites(JUNCTOR_OTHER_SITE="b", JUNCTOR_VOTERS=VOTERS)
    assert (found.sites.other, found.sites.far, [part.name for part in found.components]) == ("b", None, ["register"])
    found = sites(JUNCTOR_OTHER_SITE="b", JUNCTOR_VOTERS=VOTERS, JUNCTOR_OTHER_KAFKA_BOOTSTRAP="127.0.0.1:9")
    assert found.sites.far is not None
    assert [part.name for part in found.components] == ["other site's log", "register"]


@pytest.mark.parametrize(
    "more, sentence",
    [
        ({"JUNCTOR_OTHER_SITE": "b"}, "JUNCTOR_VOTERS names no voter a; each site has one of its name."),
        ({"JUNCTOR_OTHER_SITE": "b", "JUNCTOR_VOTERS": "a=h:1,w=h:2"}, "names no voter b"),
        ({"JUNCTOR_OTHER_SITE": "a", "JUNCTOR_VOTERS": VOTERS}, "are both a; two sites have two names"),
    ],
)
def test_what_makes_no_sense_is_refused(more, sentence):
    with pytest.raises(SettingsError, match=sentence):
        sites(**more)


async def test_a_site_without_a_seat_leads_nothing_and_remembers_what_journals_show():
    lead = sites(JUNCTOR_OTHER_SITE="b", JUNCTOR_VOTERS=VOTERS).lead
    assert isinstance(lead, SiteLead)
    assert lead.away is None
    lead.seen(3, 7)
    lead.watch(lambda partition: None)()
    assert lead.granted(3) is None
    assert lead.confirmed_until(3) < 0
    await lead.give_up(3, 7)


async def test_voters_that_cannot_be_read_stop_the_start():
    found = sites(JUNCTOR_OTHER_SITE="b", JUNCTOR_VOTERS="a=here,b=127.0.0.1:2,w=127.0.0.1:3")
    with pytest.raises(SettingsError, match="is not a voter's place"):
        await found.lead.start()
