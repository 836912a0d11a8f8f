"""``ganeval protocol``: every field has its words, and what is said is what is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from ganeval.protocols import PROTOCOLS, Protocol
from ganeval.protocols.explain import ELSEWHERE, MEANS, PARAMETERS, differences, explained

NAMES = PROTOCOLS.names()


def test_every_field_is_explained() -> None:
    fields = {field.name for field in dataclasses.fields(Protocol)}
    assert MEANS.keys() == fields - {"name", "description", "metrics", "published"}
    assert ELSEWHERE.keys() <= MEANS.keys()
    known = {(metric.name, field.name) for _, p in PROTOCOLS for metric in p.metrics for field in dataclasses.fields(metric)}  # type: ignore[arg-type]
    assert PARAMETERS.keys() == known


@pytest.mark.parametrize("name", NAMES)
def test_show_has_every_value_in_words(ganeval: Callable[..., Result], name: str) -> None:
    done = ganeval("protocol", "show", name)
    assert (done.exit_code, done.stderr) == (0, "")
    protocol = PROTOCOLS.get(name)
    lines = done.stdout.splitlines()
    assert lines[0] == f"{name} {protocol.sha256()[:8]}: {protocol.description}"
    for line in explained(protocol):
        assert f"{line.name}  {line.value}" in lines
        assert f"  {line.means}" in lines or not line.means
        assert f"  elsewhere: {line.elsewhere}" in lines or not line.elsewhere
    for metric in protocol.metrics:
        for value in metric.values:
            assert value.inception_name in done.stdout
    assert "`" not in done.stdout


def test_values_are_said_in_words() -> None:
    said = {line.name: line.value for line in explained(PROTOCOLS.get("studiogan-v0.3"))}
    assert said["reference_split"] == "held-out (the dataset's own: test or validation)"
    assert said["fakes"] == "50,000"
    assert said["fakes_follow_reference"] == "yes"
    assert said["statistics"] == "batch:64 (those of each 64 images generated together)"
    assert said["truncation"] == "none"
    said = {line.name: line.value for line in explained(PROTOCOLS.get("studiogan-v0.4"))}
    assert said["statistics"] == "standing:64x64 (averaged over 64 fresh batches of 1 to 64 images)"
    assert (said["prdc"], said["prdc.k"], said["prdc.comparison"]) == ("precision, recall, density, coverage", "5", "less")


def test_diff_has_what_differs_and_nothing_else(ganeval: Callable[..., Result]) -> None:
    assert list(differences(PROTOCOLS.get("torch-fidelity"), PROTOCOLS.get("stylegan-50k"))) == [
        ("labels", "uniform (i.i.d. uniform over the classes)", "reference (i.i.d. with the frequencies of the reference)"),
        ("sample_order", "path", "given"),
        ("reference_size", "own", "generator"),
        ("frechet.ddof", "1", "0"),
        ("inception_score.shuffle", "yes", "no"),
    ]
    done = ganeval("protocol", "diff", "ttur", "torch-fidelity")
    assert (done.exit_code, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["field", "ttur", "torch-fidelity"]
    assert ["kernel", "kid"] in rows
    assert not any(row and row[0].startswith("frechet") for row in rows)
    assert list(differences(PROTOCOLS.get("ttur"), PROTOCOLS.get("ttur"))) == []


def test_an_unknown_protocol_names_the_nearest(ganeval: Callable[..., Result]) -> None:
    for words in (("show", "studiogan-v0.5"), ("diff", "small-v2", "studiogan-v0.5")):
        done = ganeval("protocol", *words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "unknown protocol 'studiogan-v0.5': did you mean studiogan-v0.4" in done.stderr


def test_the_document_has_every_protocol_with_its_hash() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "protocols.md").read_text(encoding="utf-8")
    for name, protocol in PROTOCOLS:
        assert f"| `{name}` | `{protocol.sha256()[:8]}` |" in text, name
