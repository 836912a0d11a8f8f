"""Weights: found, or fetched once and verified; nothing that is not the published file is used, nothing half is left behind."""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from ganeval.errors import UserError
from ganeval.extractors.weights import PublishedFile, find_weights, load_into, open_weights, telling_stderr

TENSORS = {"weight": torch.arange(6.0).view(2, 3), "bias": torch.tensor([0.5, -0.5])}


def file_of(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


class Site:
    """A web server on this machine: ``files`` by name, ``asked`` for in order; ``missing`` bytes are promised but not sent."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.missing = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path[1:]
                site.asked.append(name)
                if name not in site.files:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(site.files[name]) + site.missing))
                self.end_headers()
                self.wfile.write(site.files[name])

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def publish(self, content: bytes, prefix: str | None = None) -> PublishedFile:
        """The file ``content`` under the name that its hash asks for, or under that of ``prefix``."""
        name = f"net-{prefix or hashlib.sha256(content).hexdigest()[:8]}.pth"
        self.files[name] = content
        return PublishedFile(f"http://127.0.0.1:{self.server.server_port}/{name}")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder."""
    monkeypatch.setenv("GANEVAL_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights"


def visible(folder: Path) -> list[str]:
    """What a user sees in ``folder``, and whatever a writer left unfinished there."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_published_file_is_fetched_once_verified_and_kept(site: Site, folder: Path) -> None:
    content = file_of(TENSORS)
    file = site.publish(content)
    told: list[tuple[str, int, int | None]] = []
    found = find_weights(file, "net", lambda *progress: told.append(progress))
    assert found.path == folder / file.name == file.here
    assert found.path.read_bytes() == content
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert all(torch.equal(found.tensors[name], value) for name, value in TENSORS.items())
    assert told == [(file.name, 0, len(content)), (file.name, len(content), len(content))]
    assert visible(folder) == [file.name]
    again = find_weights(file, "net", lambda *progress: told.append(progress))
    assert (again.sha256, len(told), site.asked) == (found.sha256, 2, [file.name])


def test_many_at_once_fetch_it_once(site: Site) -> None:
    file = site.publish(file_of(TENSORS))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: find_weights(file, "net", lambda *_: None), range(8)))
    assert len({weights.sha256 for weights in found}) == 1
    assert site.asked == [file.name]


def test_another_content_is_refused_and_not_kept(site: Site, folder: Path) -> None:
    content = file_of(TENSORS)
    file = site.publish(content, prefix="00000000")
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(UserError, match=rf"came with another SHA-256 \({digest[:8]}.*begins with 00000000"):
        find_weights(file, "net", lambda *_: None)
    assert visible(folder) == []


def test_a_download_that_breaks_off_is_not_kept(site: Site, folder: Path) -> None:
    file = site.publish(file_of(TENSORS))
    site.files[file.name] = site.files[file.name][:100]
    site.missing = 1000
    with pytest.raises(UserError, match="the weights of 'net' are not here and"):
        find_weights(file, "net", lambda *_: None)
    assert visible(folder) == []


def test_what_a_killed_download_left_is_replaced(site: Site, folder: Path) -> None:
    file = site.publish(file_of(TENSORS))
    folder.mkdir(parents=True)
    (folder / f".unfinished-{file.name}").write_bytes(b"half")
    find_weights(file, "net", lambda *_: None)
    assert visible(folder) == [file.name]


def test_offline_it_says_in_one_line_what_to_put_where(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url = "http://127.0.0.1:9/net-0123abcd.pth"
    with pytest.raises(UserError) as caught:
        find_weights(PublishedFile(url), "net", lambda *_: None)
    message = str(caught.value)
    assert "\n" not in message
    assert re.search(r"the weights of 'net' are not here and could not be downloaded \(.+\): put net-0123abcd.pth ", message)
    assert f"(SHA-256 begins with 0123abcd) from {url} into {folder}, or write net:PATH" in message


@pytest.mark.parametrize("installed", [True, False])
def test_offline_it_names_an_extractor_that_is_installed(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("ganeval.extractors.efficientnet_lite0.EfficientNetLite0.installed", lambda _: installed)
    with pytest.raises(UserError) as caught:
        find_weights(PublishedFile("http://127.0.0.1:9/net-0123abcd.pth"), "net", lambda *_: None)
    instead = ", or take --extractor efficientnet-lite0, whose weights are installed" if installed else ""
    assert str(caught.value).endswith(f", or write net:PATH{instead}")


def test_a_file_the_server_does_not_have(site: Site) -> None:
    file = site.publish(b"x")
    del site.files[file.name]
    with pytest.raises(UserError, match="could not be downloaded"):
        find_weights(file, "net", lambda *_: None)


def test_a_file_put_by_hand_is_used_without_the_web_and_verified(site: Site, folder: Path) -> None:
    content = file_of(TENSORS)
    file = site.publish(content)
    folder.mkdir(parents=True)
    file.here.write_bytes(content)
    assert find_weights(file, "net").sha256 == hashlib.sha256(content).hexdigest()
    other = file_of({"weight": torch.zeros(1)})
    file.here.write_bytes(other)
    wrong, right = hashlib.sha256(other).hexdigest()[:8], file.sha256_prefix
    with pytest.raises(UserError, match=f"not the published file: its SHA-256 begins with {wrong} instead of {right}: remove it"):
        find_weights(file, "net")
    assert file.here.read_bytes() == other
    assert site.asked == []


def test_a_home_that_is_a_file_names_the_variable(folder: Path) -> None:
    folder.parent.write_text("")
    with pytest.raises(UserError, match="set GANEVAL_HOME"):
        find_weights(PublishedFile("http://127.0.0.1:9/net-0123abcd.pth"), "net")


def test_progress_is_a_line_for_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    told = telling_stderr()
    for done in (0, 1, 99, 100, 150, 350, 999, 1000):
        told("net.pth", done * 1_000_000, 1_000_000_000)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"downloading net.pth \(1000 MB\) into .*weights", lines[0])
    assert lines[1:] == ["net.pth: 10 %", "net.pth: 30 %", "net.pth: 90 %", "net.pth: 100 %"]
    telling_stderr()("net.pth", 0, None)
    assert capsys.readouterr().err.startswith("downloading net.pth into ")


@pytest.mark.parametrize(
    "content",
    [TENSORS, {"state_dict": TENSORS}, {"best": 1.5, "state_dict": {f"module.{name}": value for name, value in TENSORS.items()}}],
)
def test_any_file_the_user_names_is_taken_and_hashed(tmp_path: Path, content: object) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(file_of(content))
    weights = open_weights(path, "net")
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    net = nn.Linear(3, 2)
    load_into(net, weights.tensors, weights)
    assert torch.equal(net.weight, TENSORS["weight"])
    assert torch.equal(net.bias, TENSORS["bias"])


def test_safetensors_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    safetensors.torch.save_file(TENSORS, path)
    assert torch.equal(open_weights(path, "net").tensors["weight"], TENSORS["weight"])
    path.write_bytes(b"no")
    with pytest.raises(UserError, match="not a safetensors file"):
        open_weights(path, "net")


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("ran",)


def test_a_file_that_wants_to_run_something_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pth"
    path.write_bytes(file_of({"weight": Harmful()}))
    with pytest.raises(UserError, match="wants to run"):
        open_weights(path, "net")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [{}, [TENSORS], {"state_dict": {"lr": 0.1}}, torch.zeros(3)])
def test_a_file_without_weights(tmp_path: Path, content: object) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(file_of(content))
    with pytest.raises(UserError, match="holds no weights"):
        open_weights(path, "net")


@pytest.mark.parametrize("strange", [torch.eye(3).to_sparse(), torch.zeros(3, dtype=torch.complex64)], ids=["sparse", "complex"])
def test_weights_that_are_no_plain_numbers(strange: torch.Tensor, tmp_path: Path) -> None:
    path = tmp_path / "strange.th"
    torch.save({"weight": strange}, path)
    with pytest.raises(UserError, match="'weight' is sparse, quantised, complex, or without numbers"):
        open_weights(path, "resnet20-cifar10")


def test_no_file_at_the_path(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file at .*gone.pth: write net:PATH"):
        open_weights(tmp_path / "gone.pth", "net")


def test_weights_of_another_network_say_what_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(file_of(TENSORS))
    weights = open_weights(path, "net")
    with pytest.raises(UserError, match=r"mine.pth does not fit: .*another network \(size mismatch for weight"):
        load_into(nn.Linear(4, 2), weights.tensors, weights)
    with pytest.raises(UserError, match=r"another network \(Unexpected key\(s\) in state_dict: .bias"):
        load_into(nn.Linear(3, 2, bias=False), weights.tensors, weights)


def test_weights_that_are_not_finite_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(file_of(TENSORS | {"bias": torch.full_like(TENSORS["bias"], torch.inf)}))
    weights = open_weights(path, "net")
    with pytest.raises(UserError, match=r"mine.pth has weights that are not finite \(bias\): fetch or train them again"):
        load_into(nn.Linear(3, 2), weights.tensors, weights)


def test_a_name_without_a_hash_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="carries no SHA-256"):
        _ = PublishedFile("https://somewhere/net.pth").sha256_prefix
