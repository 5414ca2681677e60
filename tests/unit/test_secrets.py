"""Literal secrets: each kind is found, ordinary text is not taken for one, and no secret is ever repeated."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pets import DAY, DIAGNOSTICS, LOOP, judged, spec

from clspec import compile as pipe
from clspec.check.secrets import literals
from clspec.report.diagnostics import as_json, as_lines, as_text

# Put together here, so that no scanner takes this file for a leak.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
GITHUB_PAT = "github_pat_" + "11ABCDEFG0abcdefghijkl_mno"
SLACK = "T00000000/B00000000/" + "XXXXaaaaBBBBccccDDDDeeee"
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq\n-----END RSA PRIVATE KEY-----"

SECRETS = {
    "a DSN": ("postgres://pets:hunter2@db.example.com/pets", "hunter2"),
    "a DSN with a driver": ("postgresql+psycopg2://pets:hunter2@db:5432/pets", "hunter2"),
    "a DSN without a user": ("redis://:hunter2@cache", "hunter2"),
    "a DSN with an at sign": ("postgres://pets:hun@ter2@db/pets", "hun@ter2"),
    "a DSN in percent signs": ("postgres://pets:%68unter2@db/pets", "%68unter2"),
    "https": ("https://bot:hunter2@git.example.com/x.git", "hunter2"),
    "s3": ("s3://key:hunter2@bucket/prefix", "hunter2"),
    "an AWS key": (f"id {AWS}", AWS),
    "a session's AWS key": (f"id {AWS.replace('AKIA', 'ASIA')}", AWS.replace("AKIA", "ASIA")),
    "a private key": (KEY, "MIIEowIBAAKCAQEA7bq"),
    "a query": ("https://example.com/x?token=hunter2&x=1", "hunter2"),
    "a later part of a query": ("https://example.com/x?x=1&api_key=hunter2", "hunter2"),
    "a signature": ("https://blob.example.com/x?sv=1&sig=hunter2hunter2", "hunter2hunter2"),
    "an argument": ("curl --token=hunter2 x", "hunter2"),
    "two arguments": ("curl --api-key hunter2 x", "hunter2"),
    "a header": ("Authorization: Bearer hunter2hunter2hunter2", "hunter2hunter2hunter2"),
    "Slack": (f"https://hooks.slack.com/services/{SLACK}", SLACK),
    "a Slack token": ("xoxb-" + "123456789012-abcdefABCDEF", "xoxb-" + "123456789012-abcdefABCDEF"),
    "Discord": ("https://discord.com/api/webhooks/123456789/abcDEF-ghi_JKL", "123456789/abcDEF-ghi_JKL"),
    "Teams": ("https://x.webhook.office.com/webhookb2/abc@def/IncomingWebhook/1", "abc@def/IncomingWebhook/1"),
    "GitHub": (f"uses {GITHUB}", GITHUB),
    "a fine-grained GitHub token": (f"x {GITHUB_PAT}", GITHUB_PAT),
    "GitLab": ("glpat-" + "abcdefghij0123456789", "glpat-" + "abcdefghij0123456789"),
    "Hugging Face": ("hf_" + "a" * 34, "hf_" + "a" * 34),
    "Google": ("AIza" + "b" * 35, "AIza" + "b" * 35),
    "a JSON Web Token": (f"x {JWT}", JWT),
    "a connection string": ("host=db dbname=pets password=hunter2", "hunter2"),
    "a quoted connection string": ("host=db password='hun ter2' port=1", "'hun ter2'"),
}  # fmt: skip

ORDINARY = [
    f"registry.example.com/pets@sha256:{'0f3c8bd7' * 8}",
    f"https://registry.example.com:5000/pets@sha256:{'0f3c8bd7' * 8}",
    "postgres://pets@db.example.com/pets",
    "https://example.com:8080/a@b",
    "s3://bucket/prefix/part=1/token=x/y.parquet",
    "postgres://pets:${DB_PASSWORD}@db/pets",
    "postgres://pets:<password>@db/pets",
    "postgres://pets:***@db/pets",
    "postgres://pets:xxxx@db/pets",
    "postgres://pets:PASSWORD@db/pets",
    "the token: a word; password: see the vault",
    "label = 'password' and token = 'cat'",
    "password = 'x'",
    "password=hunter2",
    "train --token {params.token} --secret-name hub",
    "train --token={params.token}",
    "curl --token $TOKEN",
    "https://example.com/x?token={token}&page=2",
    "https://example.com/x?token_count=3000",
    "a bearer of news",
    "key: value; AKIAlike words; ghp_short; hf_hub; xoxo",
    "eyJ is how they begin",
    "-----BEGIN CERTIFICATE-----",
    "select inference_id, corrected_label, created_at from reports",
    "01234567-89ab-cdef-0123-456789abcdef",
    "hooks.slack.com",
]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """An empty project with the code of the diagnostics' cases."""
    monkeypatch.chdir(tmp_path)
    Path("code").mkdir()
    Path("code/model.py").write_text((DIAGNOSTICS / "code" / "model.py").read_text())


def shown(checked):
    """Everything that anybody is shown of a spec."""
    found = checked.diagnostics
    texts = [as_text(found, checked.sources, colours=colours) for colours in (False, True)]
    return "\n".join([*texts, as_json(found), as_lines(found), repr(found)])


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_and_not_shown(kind):
    text, secret = SECRETS[kind]
    (found,) = literals(text)
    assert secret in text[found.start : found.end]
    judged(spec(meta={"note": text}))
    checked = pipe.read("spec.yaml", as_of=DAY)
    assert [(d.code, d.where, d.is_error) for d in checked.diagnostics] == [("CLS316", "meta.note", True)]
    assert secret not in shown(checked)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_no_secret(text):
    assert list(literals(text)) == []
    assert judged(spec(meta={"note": text})) == ()


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_in_a_comment_is_one_too(kind):
    text, secret = SECRETS[kind]
    judged(spec())
    commented = "\n".join(f"# {line}" for line in text.splitlines())
    Path("spec.yaml").write_text(f"{commented}\n{Path('spec.yaml').read_text()}")
    checked = pipe.read("spec.yaml", as_of=DAY)
    assert {d.code for d in checked.diagnostics} == {"CLS316"}
    assert secret not in shown(checked)


@pytest.mark.parametrize(
    "changes",
    [
        {"store": SECRETS["s3"][0]},
        {"sources__reports__dsn_env": SECRETS["a DSN"][0]},
        {"notify": [{"on_event": ["gate_failed"], "webhook_env": f"https://hooks.slack.com/services/{SLACK}"}]},
        {"training__secrets": [{"env": GITHUB}, {"env": f"{GITHUB} "}]},
        {"training__params": {"data": SECRETS["a DSN"][0], "more": {"x": SECRETS["a DSN"][0]}}},
        {"datasets__canonical__from": SECRETS["a DSN"][0]},
        {SECRETS["a DSN"][0]: 1},
        {"training__command": ["curl", SECRETS["a query"][0]]},
        {"golden__slices": {"a": f"id = '{GITHUB}"}},
        {"environments": {"prod": {"store": SECRETS["a DSN"][0]}}},
        {"code__root": SECRETS["a DSN"][0]},
        {"sources__reports__dsn_env": KEY},
        {"waivers": [{"code": "CLS412", "path": AWS, "reason": "x", "owner": "x", "expires": "2027-01-01"}]},
    ],
)
def test_other_complaints_about_it_do_not_repeat_it(changes):
    judged(spec(**{**LOOP, **changes}))
    checked = pipe.read("spec.yaml", as_of=DAY)
    assert "CLS316" in {d.code for d in checked.diagnostics}
    for secret in ("hunter2", SLACK, GITHUB, AWS, "MIIEowIBAAKCAQEA7bq"):
        assert secret not in shown(checked)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"sources__reports__query": "select 1 from x where token = 'hunter2'"}, "sources.reports.query"),
        ({"sources__reports__query": "select dblink('x', password 'hunter2')"}, "sources.reports.query"),
        ({"meta": {"db_password": "hunter2"}}, "meta.db_password"),
        ({"training__params": {"api_key": "hunter2"}}, "training.params.api_key"),
    ],
)
def test_a_place_tells_a_secret_too(changes, where):
    judged(spec(**{**LOOP, **changes}))
    checked = pipe.read("spec.yaml", as_of=DAY)
    assert ("CLS316", where) in [(d.code, d.where) for d in checked.diagnostics]
    assert "hunter2" not in shown(checked)


@pytest.mark.parametrize(
    "changes",
    [
        {"sources__fleet__columns__password": "string"},
        {"golden__slices": {"password": "label = 'dog'"}},
        {"meta": {"api_key": "OPENAI_API_KEY", "password": "see the vault", "passwd": "none", "x_api_key": "${KEY}"}},
        {"sources__reports__query": "select token, password from x where token = 'PASSWORD' or kind = 'token'"},
        {"training__params": {"epochs": 3}, "meta": {"tokens": "abcdefgh", "token": "[CLS]", "key": "abcdefgh"}},
    ],
)
def test_a_place_alone_makes_no_secret(changes):
    assert judged(spec(**{**LOOP, **changes})) == ()


def test_an_escape_hides_nothing():
    judged(spec(meta={"note": "NOTE"}))
    text = Path("spec.yaml").read_text()
    Path("spec.yaml").write_text(text.replace('"NOTE"', '"postgres://pets:\\u0068unter2\\x40db/pets"'))
    checked = pipe.read("spec.yaml", as_of=DAY)
    assert [(d.code, d.where) for d in checked.diagnostics] == [("CLS316", "meta.note")]
    assert "unter2" not in shown(checked)


def test_a_secret_is_told_once_however_often_it_is_repeated():
    text = json.dumps(spec(), indent=1)
    note = f'"meta": {{"a": &dsn "{SECRETS["a DSN"][0]}", "b": *dsn, "c": [*dsn]}}'
    judged(spec())
    Path("spec.yaml").write_text(text[: text.rindex("}")] + f",\n {note}\n}}")
    checked = pipe.read("spec.yaml", as_of=DAY)
    assert [(d.code, d.where) for d in checked.diagnostics] == [("CLS316", "meta.a")]


@pytest.mark.parametrize("text", [f"a: [{SECRETS['a DSN'][0]}", f"apiVersion: {SECRETS['a DSN'][0]}\n"])
def test_a_spec_that_cannot_be_read_shows_no_secret_either(text):
    Path("spec.yaml").write_text(text)
    checked = pipe.read("spec.yaml", as_of=DAY)
    assert len({d.code for d in checked.diagnostics}) == 2
    assert "hunter2" not in shown(checked)


def test_the_command_shows_no_secret():
    judged(spec(**{**LOOP, "sources__reports__dsn_env": SECRETS["a DSN"][0]}))
    for form in ("text", "json"):
        done = subprocess.run(
            [sys.executable, "-m", "clspec", "check", "spec.yaml", "--format", form],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "CLS316" in done.stdout
        assert "CLS205" in done.stdout
        assert "hunter2" not in done.stdout + done.stderr


def test_every_environment_shares_the_secret_and_none_tells_it():
    dsn = SECRETS["a DSN"][0]
    value = spec(
        **{**LOOP, "environments": {"prod": {"sources": {"reports": {"dsn_env": "X", "query": dsn}}}, "dev": {}}}
    )
    judged(value)
    checked = pipe.read("spec.yaml", "prod", DAY)
    assert [d.where for d in checked.diagnostics] == ["environments.prod.sources.reports.query"]
    assert "hunter2" not in shown(checked)


def test_very_many_secrets_are_told_alone():
    judged(spec(training__dataset=GITHUB, meta={"all": [f"{GITHUB}{number:04}" for number in range(2_000)]}))
    checked = pipe.read("spec.yaml", as_of=DAY)
    assert {d.code for d in checked.diagnostics} == {"CLS316"}
    assert len(checked.diagnostics) == 1_000


UNITS = [
    "-----BEGIN PRIVATE KEY-----",
    "://a:",
    "eyJ",
    "--token ",
    "?token=",
    "-----BEGIN ",
    "hf_",
    "password=x ",
    "password=x",
    "AKIA",
    "a:b@",
]


@pytest.mark.parametrize("unit", UNITS)
def test_much_text_is_read_in_a_time_that_grows_with_it(unit):
    # Were it to grow with its square, nobody would see the end of this.
    assert len(list(literals(unit * (1_000_000 // len(unit))))) < 1_000_000
