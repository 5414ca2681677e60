"""What a tag means is asked of its registry only when somebody wants that; the registry here is Debian's own."""

import base64
import contextlib
import hashlib
import http.server
import json
import shutil
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import containers
import pytest
import yaml

from clspec import api
from clspec.cli.commands import run
from clspec.diagnostic import UsageError
from clspec.image import login, reference, tags

TINY = Path(__file__).parents[1] / "data" / "tiny"
INDEX, MANIFEST = tags._KINDS[0], tags._KINDS[2]
DIGEST = f"sha256:{7:064x}"


def called(method, url, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method=method, headers=headers)) as answer:
        return answer.headers


def sha(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def pushed(host, repository, tag, text="{}", **headers):
    """A tiny image for one machine, and an index of it under a tag of its own; the digests of both."""
    base, config = f"http://{host}/v2/{repository}", text.encode()
    place = called("POST", f"{base}/blobs/uploads/", b"", **headers)["Location"]
    joint = "&" if "?" in place else "?"
    called("PUT", f"{place}{joint}digest={sha(config)}", config, Content_Type="application/octet-stream", **headers)
    kind = "application/vnd.oci.image.config.v1+json"
    about = {"mediaType": kind, "size": len(config), "digest": sha(config)}
    one = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": about, "layers": []}).encode()
    called("PUT", f"{base}/manifests/{tag}", one, Content_Type=MANIFEST, **headers)
    machine = {"architecture": "amd64", "os": "linux"}
    item = {"mediaType": MANIFEST, "size": len(one), "digest": sha(one), "platform": machine}
    several = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [item]}).encode()
    called("PUT", f"{base}/manifests/{tag}-index", several, Content_Type=INDEX, **headers)
    return sha(one), sha(several)


@pytest.fixture(scope="module")
def anybody(tmp_path_factory):
    """A registry that asks nobody who they are."""
    with containers.registry(tmp_path_factory.mktemp("open")) as host:
        yield host


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A person without logins."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # of no use for what is on this machine
    return folder


def logged_in(home, host, **entry):
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": {host: entry}}))


def password(name, secret):
    return base64.b64encode(f"{name}:{secret}".encode()).decode()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A function that gives the tiny spec, locked, an image of our own, and maybe one for an environment."""

    def made(image, elsewhere=None):
        folder = tmp_path / "project"
        shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__"))
        text = (folder / "tiny.yaml").read_text()
        line = next(line for line in text.splitlines() if line.strip().startswith("image:"))
        text = text.replace(line, f"  image: {image}")
        text += f"environments: {{prod: {{code: {{image: '{elsewhere}'}}}}}}\n" if elsewhere else ""
        (folder / "tiny.yaml").write_text(text)
        monkeypatch.chdir(folder)
        return folder / "tiny.lock"

    return made


def images(place):
    return yaml.safe_load(place.read_text()).get("images", {})


# -- asked -------------------------------------------------------------------------------------------------------------


def test_a_tag_is_pinned_when_somebody_asks_and_stays_until_somebody_asks_again(anybody, project, capsys):
    name = f"{anybody}/team/tiny:1"
    one, _ = pushed(anybody, "team/tiny", "1")
    place = project(name)
    assert run(["lock", "tiny.yaml"]) == 0
    told = capsys.readouterr().out
    assert f"tiny.lock: {name} is a tag and not pinned" in told
    assert f"clspec lock tiny.yaml --update {name}" in told
    assert images(place) == {}
    assert run(["compile", "tiny.yaml", "-t", "argo"]) == 2
    assert "clspec lock SPEC --update NAME:TAG" in capsys.readouterr().err

    assert run(["lock", "tiny.yaml", "--update", name]) == 0
    assert f"tiny.lock: {name}: pinned to {one}\n" in capsys.readouterr().out
    assert images(place) == {name: one}
    assert run(["compile", "tiny.yaml", "-t", "argo"]) == 0
    assert f"{name}@{one}" in Path("build/tiny/argo/regression.workflowtemplate.yaml").read_text()

    other, _ = pushed(anybody, "team/tiny", "1", '{"architecture": "arm64"}')
    assert other != one
    capsys.readouterr()
    assert run(["lock", "tiny.yaml"]) == 0
    assert "not pinned" not in capsys.readouterr().out
    assert images(place) == {name: one}
    assert run(["lock", "tiny.yaml", "--update", name]) == 0
    assert f"{name}: moved from {one} to {other}" in capsys.readouterr().out
    assert images(place) == {name: other}


def test_the_digest_of_several_machines_is_that_of_their_index(anybody):
    one, several = pushed(anybody, "team/several", "2")
    assert tags.meaning(f"{anybody}/team/several:2") == one
    assert tags.meaning(f"{anybody}/team/several:2-index") == several != one


def test_images_of_environments_are_pinned_by_their_own_names_and_none_is_lost(anybody, project):
    one, several = pushed(anybody, "team/two", "3")
    names = [f"{anybody}/team/two:3", f"{anybody}/team/two:3-index"]
    place = project(*names)
    assert api.lock("tiny.yaml", (names[1],)).floating == (names[0],)
    assert images(place) == {names[1]: several}
    assert api.lock("tiny.yaml", (names[0],), environment="prod").floating == ()
    assert images(place) == dict(zip(names, (one, several), strict=True))
    for environment in (None, "prod"):
        assert api.lock("tiny.yaml", environment=environment).changes == ()


@pytest.mark.parametrize(
    ("repository", "why"), [("team/tiny:none", "has no team/tiny:none: push it"), ("no/such", "has no no/such:latest")]
)
def test_what_is_not_there(anybody, project, capsys, repository, why):
    pushed(anybody, "team/tiny", "1")
    place = project(f"{anybody}/{repository}")
    api.lock("tiny.yaml")
    before = place.read_bytes()
    assert run(["lock", "tiny.yaml", "--update", f"{anybody}/{repository}"]) == 2
    told = capsys.readouterr().err
    assert f"clspec: {anybody} {why}" in told
    assert (told.count("\n"), place.read_bytes()) == (1, before)


def test_a_registry_that_is_not_there(project, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"localhost:{free.getsockname()[1]}"
        place = project(f"{host}/tiny:1")
        assert run(["lock", "tiny.yaml", "--update", f"{host}/tiny:1"]) == 2
    told = capsys.readouterr().err
    assert told == f"clspec: {host} cannot be asked what {host}/tiny:1 means: Connection refused\n"
    assert "images" not in place.read_text()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("drvies", "there is no dataset `drvies` to update: did you mean `drives`?"),
        ("localhost:1/tiny:2", "there is no image `localhost:1/tiny:2` to update: did you mean `localhost:1/tiny:1`?"),
        (f"localhost:1/tiny@{DIGEST}", "it is a digest, which means one image for ever"),
    ],
)
def test_names_that_nothing_has(project, capsys, name, why):
    project("localhost:1/tiny:1")
    assert run(["lock", "tiny.yaml", "--update", name]) == 2
    assert why in capsys.readouterr().err


def test_two_things_of_one_name_and_two_answers_to_one_question(project, capsys):
    project("golden")
    assert run(["lock", "tiny.yaml", "--update", "golden"]) == 2
    assert "`golden` is a dataset and an image" in capsys.readouterr().err
    Path("tiny.yaml").write_text(Path("tiny.yaml").read_text().replace("image: golden", "image: localhost:1/a:1"))
    assert run(["lock", "tiny.yaml", "--update", "localhost:1/a:1", "--image", DIGEST]) == 2
    assert "give one of them" in capsys.readouterr().err


# -- who asks ----------------------------------------------------------------------------------------------------------

HASHED = "$2y$04$wTMq5.6gALu9mpFdAmOy4eyPBBI13APCy6VVx1b7Wiji8LBe4CFfa"
"""`a secret`, as registries keep passwords."""


def test_a_password_is_taken_from_where_docker_keeps_it(tmp_path, home):
    (tmp_path / "users").write_text(f"somebody:{HASHED}\n")
    with containers.registry(tmp_path, f"auth: {{htpasswd: {{realm: here, path: '{tmp_path / 'users'}'}}}}\n") as host:
        basic = f"Basic {password('somebody', 'a secret')}"
        one, _ = pushed(host, "team/kept", "1", Authorization=basic)
        name = f"{host}/team/kept:1"
        with pytest.raises(UsageError, match=r"does not show team/kept:1 to whoever is not logged in \(401\)"):
            tags.meaning(name)
        logged_in(home, host, auth=password("somebody", "another secret"))
        with pytest.raises(UsageError, match=r"does not show team/kept:1 to `somebody` \(401\)") as refused:
            tags.meaning(name)
        assert "another secret" not in str(refused.value)
        logged_in(home, host, auth=password("somebody", "a secret"))
        assert tags.meaning(name) == one


class Tokens:
    """Where a registry sends people for tokens: real ones, signed, which the registry proves."""

    def __init__(self, folder):
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tokens")])
        start = datetime(2020, 1, 1, tzinfo=UTC)
        made = x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(start).not_valid_after(start.replace(year=2099)).sign(self.key, hashes.SHA256())
        self.certificate = base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()
        (folder / "tokens.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.pem = folder / "tokens.pem"
        self.asked = []
        outer = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.answer(self, self.path.partition("?")[2])

            def do_POST(self):
                outer.answer(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.realm = f"http://127.0.0.1:{self.server.server_port}/token"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, asked, query):
        said = dict(urllib.parse.parse_qsl(query))
        self.asked.append((asked.command, said, asked.headers.get("Authorization")))
        may = asked.headers.get("Authorization") == f"Basic {password('somebody', 'a secret')}"
        may = may or said.get("refresh_token") == "the token of a login"
        body = json.dumps({"token": self.token(said["scope"])} if may else {"errors": [{"message": "who?"}]}).encode()
        asked.send_response(200 if may else 401)
        asked.send_header("Content-Length", str(len(body)))
        asked.end_headers()
        asked.wfile.write(body)

    def token(self, scope):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        kind, name, actions = scope.split(":")
        now = int(time.time())
        claims = {"iss": "tests", "aud": "registry", "sub": "s", "nbf": now - 60, "iat": now, "exp": now + 300}
        claims |= {"jti": "1", "access": [{"type": kind, "name": name, "actions": actions.split(",")}]}
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]}
        text = ".".join(self.coded(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{self.coded(self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    @staticmethod
    def coded(content):
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture
def tokens(tmp_path):
    made = Tokens(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_token_is_fetched_for_one_repository_and_only_to_pull(tmp_path, home, tokens):
    rules = f"realm: '{tokens.realm}', service: registry, issuer: tests, rootcertbundle: '{tokens.pem}'"
    with containers.registry(tmp_path, f"auth: {{token: {{{rules}}}}}\n") as host:
        pusher = f"Bearer {tokens.token('repository:team/kept:pull,push')}"
        one, several = pushed(host, "team/kept", "1", Authorization=pusher)
        with pytest.raises(UsageError, match=r"does not show team/kept:1 to whoever is not logged in \(401\)"):
            tags.meaning(f"{host}/team/kept:1")
        logged_in(home, host, auth=password("somebody", "a secret"))
        assert tags.meaning(f"{host}/team/kept:1") == one
        logged_in(home, host, identitytoken="the token of a login")
        assert tags.meaning(f"{host}/team/kept:1-index") == several
    scope = {"service": "registry", "scope": "repository:team/kept:pull"}
    assert [said["scope"] for _, said, _ in tokens.asked] == [scope["scope"]] * 3
    assert tokens.asked[0] == ("GET", scope, None)
    assert tokens.asked[2][0] == "POST"


def test_a_program_that_keeps_logins_is_asked(tmp_path, home, monkeypatch):
    place = tmp_path / "docker-credential-here"
    said = "import json,sys; h=sys.stdin.read(); print(json.dumps({'Username': 'n', 'Secret': 's-' + h}))"
    place.write_text(f"#!{sys.executable}\n{said}\n")
    place.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    folder = home / ".docker"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"credsStore": "here"}))
    assert login.known("docker.io") == login.Login(name="n", password="s-https://index.docker.io/v1/")
    (folder / "config.json").write_text(json.dumps({"credHelpers": {"a.example": "gone"}, "auths": {}}))
    assert login.known("b.example") is None
    with pytest.raises(UsageError, match="`docker-credential-gone`, which is not installed"):
        login.known("a.example")
    (folder / "config.json").write_text(json.dumps({"credsStore": "../here"}))
    with pytest.raises(UsageError, match="can have no such name"):
        login.known("a.example")


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "is no JSON mapping"), ("[]", "is no JSON mapping"), ('{"auths": {"a.b": {"auth": "%"}}}', "is no login")],
)
def test_a_file_of_logins_that_is_none(home, text, why):
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(text)
    with pytest.raises(UsageError, match=why):
        login.known("a.b")


def test_podmans_logins_are_known_too(tmp_path, monkeypatch):
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {"a.example": {"auth": password("n", "p:q")}}}))
    assert login.known("a.example") == login.Login(name="n", password="p:q")
    assert "p:q" not in repr(login.known("a.example"))


# -- what else may answer ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def answering(*answers):
    """Something on this machine that gives these answers in turn (status, headers, body), and what it is asked."""
    asked, left = [], list(answers)

    class Answers(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_HEAD(self):
            asked.append((self.command, self.path, self.headers.get("Authorization")))
            status, headers, body = left.pop(0)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD  # noqa: N815  # the library's names

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def of(digest="", kind=INDEX):
    return {"Content-Type": kind, **({"Docker-Content-Digest": digest} if digest else {})}


def test_a_digest_that_is_not_told_is_made_from_the_bytes():
    with answering((200, of(), b"{}"), (200, of(), b"{}")) as (host, asked):
        assert tags.meaning(f"{host}/a") == sha(b"{}")
    assert [method for method, _, _ in asked] == ["HEAD", "GET"]
    with answering((405, {}, b""), (200, of(sha(b"{}")), b"{}")) as (host, _):
        assert tags.meaning(f"{host}/a:1") == sha(b"{}")


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([(405, {}, b""), (200, of(DIGEST), b"{}")], "another digest than its bytes have"),
        ([(200, of(DIGEST, "text/html"), b"<html>")], r"does not answer with a manifest .* but with text/html"),
        ([(200, of("sha512:00"), b"")], "gives no sha256 digest"),
        ([(200, of(), b""), (200, of(), b"x" * (tags._LARGEST + 1))], "more than a manifest may hold"),
        ([(429, {}, b"")], "asked too often"),
        ([(405, {}, b""), (503, {}, b'{"errors": [{"message": "in\\nrepair"}]}')], "answers with 503 .*: in repair"),
        ([(401, {"WWW-Authenticate": 'Bearer realm="http://else.example/t"'}, b"")], "a password would not be safe"),
        ([(401, {"WWW-Authenticate": "Basic realm=x"}, b"")], "to whoever is not logged in"),
        ([(307, {"Location": "ftp://else.example/"}, b"")], "cannot be asked|answers with 307"),
        ([(302, {"Location": "/v2/a/manifests/1"}, b"")] * 20, "cannot be asked|answers with 302"),
    ],
)
def test_answers_that_are_none(answers, why):
    with answering(*answers) as (host, _), pytest.raises(UsageError, match=why) as refused:
        tags.meaning(f"{host}/a:1")
    assert "\n" not in str(refused.value)


def test_where_a_registry_sends_us_nobody_learns_the_password(home):
    with answering((200, of(DIGEST), b"")) as (other, seen):
        onwards = {"Location": f"http://{other}/there"}
        with answering((401, {"WWW-Authenticate": "Basic"}, b""), (307, onwards, b"")) as (host, asked):
            logged_in(home, host, auth=password("n", "p"))
            assert tags.meaning(f"{host}/a:1") == DIGEST
    assert asked[1] == ("HEAD", "/v2/a/manifests/1", f"Basic {password('n', 'p')}")
    assert seen == [("HEAD", "/there", None)]


@pytest.mark.parametrize(
    ("name", "meant", "address"),
    [
        ("python:3.12", "docker.io/library/python:3.12", "https://registry-1.docker.io"),
        ("team/a", "docker.io/team/a:latest", "https://registry-1.docker.io"),
        ("a.example/b/c:1", "a.example/b/c:1", "https://a.example"),
        ("a.example:5000/b", "a.example:5000/b:latest", "https://a.example:5000"),
        ("localhost/b:1", "localhost/b:1", "http://localhost"),
        ("[::1]:5000/b", "[::1]:5000/b:latest", "http://[::1]:5000"),
        ("localhost.example.com/b", "localhost.example.com/b:latest", "https://localhost.example.com"),
    ],
)
def test_what_a_name_says(name, meant, address):
    found = reference.read(name)
    assert (str(found), found.address) == (meant, address)


@pytest.mark.parametrize("name", ["", "A/b", "a.b/../c", "a.b/c:", "a.b/c?x", "a@b.c/d", "a.b/c:1\n", "-v", "a.b/c%2f"])
def test_what_is_no_name(name):
    with pytest.raises(UsageError, match="is no name of an image"):
        reference.read(name)
