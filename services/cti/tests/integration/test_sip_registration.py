"""Registration: digest, expiry, limits, and phones rung where they registered."""

import pytest
from aiosipua import SipDigestAuth
from junctor_cti.application.ports import sip_events as ev
from junctor_testkit.sip_phone import PhoneError

AOR = "sip:anna@junctor"


@pytest.mark.parametrize("algorithms", [("SHA-256", "MD5"), ("MD5",)])
async def test_a_phone_registers_is_rung_and_leaves(sip_desk, sip_phone, algorithms):
    desk = await sip_desk(digest_algorithms=algorithms)
    phone = await sip_phone("anna", desk)
    assert await phone.register(expires=60) == 60
    registered = await desk.event(ev.Registered)
    assert (registered.aor, registered.user_agent) == (AOR, "junctor-test-phone")
    [binding] = desk.edge.contacts(AOR)
    assert binding.contact == registered.contact
    desk.edge.prepare_invite("x", AOR, "sip:1@junctor", "", "")
    desk.edge.send_invite("x")
    call = await phone.next_call()
    assert call.headers["to"] == f"<{AOR}>"
    await phone.unregister()
    assert (await desk.event(ev.Unregistered)).why == "asked"
    assert desk.edge.contacts(AOR) == []


@pytest.mark.parametrize(("user", "password"), [("anna", "wrong"), ("unknown1", "geheim")])
async def test_a_wrong_password_or_user_is_refused(sip_desk, sip_phone, user, password):
    desk = await sip_desk()
    phone = await sip_phone(user, desk, password=password)
    with pytest.raises(PhoneError) as refused:
        await phone.register()
    assert refused.value.code == 401
    assert desk.edge.counters["event.Registered"] == 0


async def test_nobody_registers_for_somebody_else(sip_desk, sip_phone):
    desk = await sip_desk()
    phone = await sip_phone("anna", desk)
    phone._auth = SipDigestAuth("bert", "geheim")
    with pytest.raises(PhoneError) as refused:
        await phone.register()
    assert refused.value.code == 403


async def test_an_expired_nonce_is_asked_for_again_as_stale(sip_desk, sip_phone):
    desk = await sip_desk(nonce_lifetime_s=-1)
    phone = await sip_phone("anna", desk)
    challenges = []
    receive = phone._link._receive
    phone._link._receive = lambda data: (challenges.append(data), receive(data))
    with pytest.raises(PhoneError):
        await phone.register()
    assert b"stale=true" not in challenges[0]
    assert b"stale=true" in challenges[1]


async def test_too_short_and_too_long_times(sip_desk, sip_phone):
    desk = await sip_desk(registration_min_s=30, registration_max_s=120)
    phone = await sip_phone("anna", desk)
    with pytest.raises(PhoneError) as refused:
        await phone.register(expires=5)
    assert refused.value.code == 423
    assert await phone.register(expires=9999) == 120


async def test_a_binding_expires(sip_desk, sip_phone):
    desk = await sip_desk(registration_min_s=1)
    phone = await sip_phone("anna", desk)
    await phone.register(expires=1)
    gone = await desk.event(ev.Unregistered)
    assert (gone.aor, gone.why) == (AOR, "expired")


async def test_the_oldest_phone_gives_way_beyond_the_limit(sip_desk, sip_phone):
    desk = await sip_desk(registration_contacts=2)
    phones = [await sip_phone("anna", desk) for _ in range(3)]
    for phone in phones:
        await phone.register()
    assert (await desk.event(ev.Unregistered)).why == "replaced"
    assert [binding.contact for binding in desk.edge.contacts(AOR)] == [phones[2].uri, phones[1].uri]


async def test_a_refresh_keeps_one_binding(sip_desk, sip_phone):
    desk = await sip_desk()
    phone = await sip_phone("anna", desk)
    await phone.register()
    await phone.register()
    assert len(desk.edge.contacts(AOR)) == 1


async def test_bindings_survive_a_take_over(sip_desk, sip_phone):
    desk = await sip_desk(nonce_secret=b"k" * 32)
    phone = await sip_phone("anna", desk)
    await phone.register()
    binding = (await desk.event(ev.Registered)).binding
    after = await desk.successor()
    after.edge.restore_binding(binding)
    after.edge.prepare_invite("x", AOR, "sip:1@junctor", "", "")
    after.edge.send_invite("x")
    await phone.next_call()
    with pytest.raises(ValueError, match="not a binding"):
        after.edge.restore_binding(b"[1]")


async def test_without_a_credential_store_registration_is_not_offered(sip_desk, sip_phone):
    desk = await sip_desk(credential=None)
    phone = await sip_phone("anna", desk)
    with pytest.raises(PhoneError) as refused:
        await phone.register()
    assert refused.value.code == 403


async def test_a_call_from_a_registered_phone_names_its_address(sip_desk, sip_phone):
    desk = await sip_desk(trunks={"127.0.0.1": "carrier"})
    phone = await sip_phone("anna", desk)
    await phone.register()
    await phone.call(desk.number)
    call = await desk.event(ev.IncomingCall)
    assert (call.aor, call.trunk) == (AOR, "carrier")
