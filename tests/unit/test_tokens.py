"""The file of tokens: what is made is known again, what is wrong is said by file and line, and no token is in it."""

from hashlib import sha256
from pathlib import Path

import pytest

from config.errors import UsageError
from config.tokens import ROLES, load_tokens, make_token

HASH = sha256(b"secret").hexdigest()


def written(directory: Path, text: str) -> Path:
    path = directory / "tokens"
    path.write_text(text)
    return path


@pytest.mark.parametrize("role", ROLES)
def test_a_token_that_was_made_is_known_by_its_name_and_role(role: str, tmp_path: Path) -> None:
    secret, token = make_token(role, "wall-1")
    found = load_tokens(written(tmp_path, f"# screens\n\n{token.line}\n")).find(secret)
    assert found is not None
    assert (found.name, found.role) == ("wall-1", role)


def test_the_file_holds_the_hash_that_any_tool_makes_and_not_the_token(tmp_path: Path) -> None:
    secret, token = make_token("admin", "boss")
    assert secret not in token.line
    assert token.line == f"boss:admin:{sha256(secret.encode()).hexdigest()}"
    found = load_tokens(written(tmp_path, f"tv:wallboard:{HASH}")).find("secret")
    assert found is not None
    assert found.name == "tv"


def test_two_tokens_are_never_the_same_and_too_long_to_guess() -> None:
    secrets = {make_token("admin", "boss")[0] for _ in range(100)}
    assert len(secrets) == 100
    assert min(map(len, secrets)) >= 43 + len("callwatch_")


@pytest.mark.parametrize("wrong", ["", " ", "secre", "secret ", "SECRET", HASH, "\udcff", "s\x00", "x" * 100_000])
def test_what_is_not_the_token_is_nobody(wrong: str, tmp_path: Path) -> None:
    assert load_tokens(written(tmp_path, f"tv:wallboard:{HASH}")).find(wrong) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tv:wallboard:secret", ":1: not a token's line"),
        (f"# x\ntv:root:{HASH}", ":2: not a token's line"),
        (f"tv:admin:{HASH}0", ":1: not a token's line"),
        (f"tv;admin;{HASH}", ":1: not a token's line"),
        (f"t v:admin:{HASH}", ":1: not a token's line"),
        (f"tv:admin:{HASH}\ntv:metrics:{HASH}", ':2: there are two tokens of "tv"'),
        ("# nothing\n", ": no token in it; callwatch token ROLE NAME makes one"),
    ],
)
def test_a_wrong_line_is_named_and_never_shown(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_tokens(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'tokens'}{said}")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tokens: cannot be read \(No such file or directory\)"):
        load_tokens(tmp_path / "tokens")
    (tmp_path / "tokens").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"tokens: cannot be read \(not UTF-8 text\)"):
        load_tokens(tmp_path / "tokens")


@pytest.mark.parametrize(("role", "name"), [("wallbord", "tv"), ("", "tv"), ("admin", ""), ("admin", "a:b\n")])
def test_a_role_or_a_name_that_cannot_be_is_refused_in_one_line(role: str, name: str) -> None:
    with pytest.raises(UsageError, match=r"(is not a role.*write one of wallboard|is not a name; write)") as caught:
        make_token(role, name)
    assert "\n" not in str(caught.value)
