"""Which proof of the user goes over which channel (OPC 10000-4 §7.40, table 189)."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.opcua.config import OpcUaConfig
from connectors.opcua.security.users import read_credentials, token_policy
from plant.errors import Misconfigured
from tests.connectors.opcua.recipes import KEY, OTHER_KEY, Recipe

URL = "opc.tcp://plc:4840"
HEAD = "http://opcfoundation.org/UA/SecurityPolicy#"
SECURED = {"name": "plc", "url": URL, "trust": "pki"}
NOBODY = OpcUaConfig.model_validate(SECURED)
PASSWORD = OpcUaConfig.model_validate({**SECURED, "user": "jo", "password_file": "p"})
CARD = OpcUaConfig.model_validate({**SECURED, "user_certificate": "jo.der", "user_key": "jo.pem"})
ANON, NAME, CERT = (
    ua.UserTokenType.Anonymous,
    ua.UserTokenType.UserName,
    ua.UserTokenType.Certificate,
)


def channel(mode: str, policy: str = "Basic256Sha256") -> Any:
    return SimpleNamespace(URI=HEAD + policy, Mode=ua.MessageSecurityMode[mode])


def offer(kind: ua.UserTokenType, policy: str | None) -> ua.UserTokenPolicy:
    uri = policy if policy in (None, "") else f"{HEAD}{policy}"
    return ua.UserTokenPolicy(
        PolicyId=f"{kind.name} {policy}", TokenType=kind, SecurityPolicyUri=uri
    )


@pytest.mark.parametrize(
    ("config", "kind", "offered", "mode", "taken"),
    [
        (PASSWORD, NAME, ["None", "Basic256Sha256"], "SignAndEncrypt", "Basic256Sha256"),
        (
            PASSWORD,
            NAME,
            ["Basic256Sha256", "Aes256_Sha256_RsaPss"],
            "Sign",
            "Aes256_Sha256_RsaPss",
        ),
        (PASSWORD, NAME, ["None"], "SignAndEncrypt", "None"),
        (PASSWORD, NAME, ["Basic128Rsa15", "None"], "SignAndEncrypt", "None"),
        (PASSWORD, NAME, [None], "SignAndEncrypt", None),
        (PASSWORD, NAME, [""], "Sign", ""),
        (CARD, CERT, ["None", "Aes128_Sha256_RsaOaep"], "Sign", "Aes128_Sha256_RsaOaep"),
        (CARD, CERT, [None], "Sign", None),
        (NOBODY, ANON, ["None"], "Sign", "None"),
    ],
)
def test_the_strongest_that_is_offered_is_taken(
    config: OpcUaConfig,
    kind: ua.UserTokenType,
    offered: list[str | None],
    mode: str,
    taken: str | None,
) -> None:
    policy = token_policy([offer(kind, each) for each in offered], channel(mode), config)
    assert policy.PolicyId == f"{kind.name} {taken}"


@pytest.mark.parametrize(
    ("config", "offered", "mode", "why"),
    [
        (PASSWORD, [offer(NAME, "None")], "Sign", "proved only with None"),
        (PASSWORD, [offer(NAME, "None")], "None_", "proved only with None"),
        (PASSWORD, [offer(NAME, "Basic256")], "SignAndEncrypt", "only with Basic256,"),
        (PASSWORD, [offer(NAME, "\x1b[2J")], "Sign", r"only with \\x1b\[2J"),
        (CARD, [offer(CERT, "None")], "SignAndEncrypt", "proved only with None"),
        (CARD, [offer(NAME, "None")], "Sign", "does not take users with a certificate, only users"),
        (PASSWORD, [offer(ANON, None)], "Sign", "with a password, only anybody without a user"),
        (PASSWORD, [], "Sign", "only nobody"),
        (PASSWORD, None, "Sign", "only nobody"),
        (NOBODY, [offer(NAME, None), offer(CERT, None)], "Sign", "certificate and users with a p"),
    ],
)
def test_what_would_bare_the_user_is_refused(
    config: OpcUaConfig, offered: list[ua.UserTokenPolicy] | None, mode: str, why: str
) -> None:
    with pytest.raises(Misconfigured, match=why):
        token_policy(offered, channel(mode), config)


def test_a_channel_without_security_covers_no_empty_policy() -> None:
    with pytest.raises(Misconfigured, match="proved only with None"):
        token_policy([offer(NAME, None)], channel("None_", "None"), PASSWORD)


@pytest.mark.parametrize("offered", [None, []])
def test_a_server_that_names_no_users_takes_anybody(offered: Any) -> None:
    assert token_policy(offered, channel("Sign"), NOBODY).TokenType == ANON


def card(tmp_path: Path, key: Any = KEY) -> OpcUaConfig:
    certificate, path = tmp_path / "jo.der", tmp_path / "jo.pem"
    certificate.write_bytes(Recipe().bake().public_bytes(Encoding.DER))
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return CARD.model_copy(update={"user_certificate": certificate, "user_key": path})


def test_certificate_and_key_of_a_user_are_read(tmp_path: Path) -> None:
    credentials = read_credentials(card(tmp_path))
    assert credentials.certificate == Recipe().bake()
    assert credentials.key
    assert credentials.key.public_key() == KEY.public_key()


def test_a_key_of_another_user_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"jo\.pem does not belong to .*jo\.der"):
        read_credentials(card(tmp_path, OTHER_KEY))


def test_secrets_are_not_shown_by_accident(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("s3cret\n")
    config = PASSWORD.model_copy(update={"password_file": tmp_path / "p"})
    credentials = read_credentials(config)
    assert credentials.password == "s3cret"
    assert "s3cret" not in repr(credentials)
