# ruff: noqa: RUF009
"""Settings: every kind of value, and one sentence for each bad one."""

import pickle
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest
from junctor_service.settings import (
    CommonSettings,
    Duration,
    HostPort,
    LogLevel,
    Secret,
    SettingsError,
    load_settings,
    setting,
)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(CommonSettings):
    count: int = setting("How many.", default=1, minimum=1, maximum=9)
    ratio: float = setting("Ratio.", default=0.5)
    flag: bool = setting("Flag.", default=False)
    pause: Duration = setting("Pause.", default=Duration(1.0), minimum=0.1)
    peer: HostPort = setting("Peer.", default=HostPort("h", 1))
    peers: tuple[HostPort, ...] = setting("Peers.", default=())
    colour: Colour = setting("Colour.", default=Colour.RED)
    folder: Path = setting("Folder.", default=Path("x"))
    password: Secret | None = setting("Password.", default=None)
    name: str = setting("Name.", default="n", pattern="[a-z]+")


def load(environ: dict[str, str], **given):
    return load_settings(Example, service="router", environ={"JUNCTOR_JWKS": "keys.json", **environ}, **given)


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("count", "7", 7),
        ("ratio", "0.25", 0.25),
        ("flag", "yes", True),
        ("flag", "OFF", False),
        ("pause", "500ms", 0.5),
        ("pause", "1m30s", 90.0),
        ("peer", "[::1]:5060", HostPort("[::1]", 5060)),
        ("peers", "a:1, b:2", (HostPort("a", 1), HostPort("b", 2))),
        ("colour", "BLUE", Colour.BLUE),
        ("folder", "/tmp/f", Path("/tmp/f")),
        ("password", "s3cret", Secret("s3cret")),
        ("name", "abc", "abc"),
    ],
)
def test_text_becomes_a_typed_value(field, text, value):
    assert getattr(load({f"JUNCTOR_ROUTER__{field.upper()}": text}), field) == value


@pytest.mark.parametrize(
    ("field", "text", "part"),
    [
        ("count", "many", "is not an integer; expected an integer from 1 to 9"),
        ("count", "1.5", "is not an integer"),
        ("count", "0", "is too low"),
        ("count", "10", "is too high"),
        ("count", "", "is empty"),
        ("ratio", "nan", "is not a number"),
        ("flag", "perhaps", "is not a truth value; expected true or false"),
        ("pause", "5", 'is not a duration; expected a duration such as "5s"'),
        ("pause", "5 s", "is not a duration"),
        ("pause", "-5s", "is not a duration"),
        ("pause", "1ms", "is too low; expected"),
        ("peer", "host", "is not host:port"),
        ("peer", "host:", "is not host:port"),
        ("peer", ":1", "is not host:port"),
        ("peer", "host:65536", "is not host:port"),
        ("peer", "::1:80", "is not host:port"),
        ("peers", "a:1,b", "has an element 'b' that is not host:port"),
        ("colour", "green", "is not one of the choices; expected one of red, blue"),
        ("name", "A1", "has the wrong form; expected a text matching [a-z]+"),
    ],
)
def test_a_bad_value_gets_a_sentence_with_name_value_fault_and_place(field, text, part):
    with pytest.raises(SettingsError) as caught:
        load({f"JUNCTOR_ROUTER__{field.upper()}": text})
    (sentence,) = caught.value.sentences
    assert sentence.startswith(f"JUNCTOR_ROUTER__{field.upper()}={text!r} from the environment ")
    assert part in sentence
    assert sentence.endswith(".")


def test_all_bad_values_are_told_at_once_and_a_missing_one_too():
    with pytest.raises(SettingsError) as caught:
        load_settings(Example, service="router", environ={"JUNCTOR_SITE": "A b", "JUNCTOR_ROUTER__COUNT": "x"})
    assert len(caught.value.sentences) == 3
    assert any(s.startswith("JUNCTOR_JWKS is not set; expected") for s in caught.value.sentences)


def test_a_secret_is_never_shown(tmp_path):
    secret = load({"JUNCTOR_ROUTER__PASSWORD": "hunter2"}).password
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(SettingsError) as caught:
        config = tmp_path / "c.yaml"
        config.write_text("router: {password: [hunter2]}")
        load({"JUNCTOR_CONFIG": str(config)})
    assert "hunter2" not in str(caught.value)


def test_the_environment_beats_the_file_and_the_service_beats_the_common(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("site: b\nlog_level: debug\nrouter: {count: 3, pause: 2s, site: c}\n")
    loaded = load({"JUNCTOR_CONFIG": str(config), "JUNCTOR_ROUTER__PAUSE": "4s"})
    assert (loaded.site, loaded.log_level, loaded.count, loaded.pause) == ("c", LogLevel.DEBUG, 3, 4.0)
    assert load({"JUNCTOR_SITE": "d", "JUNCTOR_ROUTER__SITE": "e"}).site == "e"
    assert load({"JUNCTOR_CONFIG": str(config), "JUNCTOR_SITE": "d"}).site == "d"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("a: [", "is not valid YAML in line"),
        ("- 1", "holds no names"),
        ("router: 3", "is not a section"),
        ("router: {count: x}", "router.count='x' from"),
        ("router: {count: [1]}", "is not a single value"),
    ],
)
def test_a_bad_file_is_told(tmp_path, content, part):
    config = tmp_path / "c.yaml"
    config.write_text(content)
    with pytest.raises(SettingsError, match=r"c\.yaml") as caught:
        load({"JUNCTOR_CONFIG": str(config)})
    assert part in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        load({"JUNCTOR_CONFIG": str(tmp_path / "none.yaml")})


def test_unknown_names_are_warned_about_but_not_those_of_other_services(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("sitte: b\nrouter: {cuont: 3}\ncti: {x: 1}\n")
    warnings: list[str] = []
    environ = {"JUNCTOR_STIE": "b", "JUNCTOR_ROUTER__COUNTT": "2", "JUNCTOR_CTI__SIP": "x", "JUNCTOR_FOO__X": "1"}
    load({"JUNCTOR_CONFIG": str(config), **environ}, warnings=warnings)
    named = {warning.split()[0] for warning in warnings}
    assert named == {"JUNCTOR_STIE", "JUNCTOR_ROUTER__COUNTT", "JUNCTOR_FOO__X", "sitte", "router.cuont"}
