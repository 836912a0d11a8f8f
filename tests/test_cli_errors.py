"""Bad input: one line on stderr that says what is wrong and what to do, status 2, nothing on stdout, and nothing lost."""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from ganeval.rng import LARGEST_SEED

Refused = Callable[..., str]


def content(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``, lock files aside."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".lock" and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def refused(ganeval: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Runs the words in an own folder, checks all that every refusal has in common, and gives the line."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> str:
        before = content(tmp_path)
        done = ganeval(*words)
        assert (done.exit_code, done.stdout) == (2, ""), done.output
        assert content(tmp_path) == before
        (line,) = done.stderr.splitlines()
        assert line.startswith("ganeval: ")
        return line.removeprefix("ganeval: ")

    return run


@pytest.fixture
def checkpoint(tiny_run: Path, tmp_path: Path) -> Path:
    """A checkpoint to damage."""
    return Path(shutil.copytree(tiny_run / (tiny_run / "latest").read_text().strip(), tmp_path / "checkpoint"))


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A run to damage."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture
def images(real_folder: Path, tmp_path: Path) -> Path:
    """A folder of images to damage."""
    return Path(shutil.copytree(real_folder, tmp_path / "images"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train reacgann digits", "unknown recipe 'reacgann': did you mean reacgan"),
        ("train reacgan digitss", "unknown dataset 'digitss': did you mean digits?"),
        ("train reacgan no/such/folder", "no folder no/such/folder: give a registered name"),
        ("train reacgan digits backbone.g_chanels=3", "unknown key 'backbone.g_chanels': did you mean backbone.g_channels"),
        ("train reacgan digits schedul.batch_size=3", "unknown key 'schedul.batch_size': did you mean schedule"),
        ("train reacgan digits schedule.batch_size=many", "schedule.batch_size=many: expected a whole number"),
        ("train reacgan digits schedule.batch_size=0", "schedule.batch_size must be at least 1, got 0"),
        ("train reacgan digits conditioning.temperature=hot", "conditioning.temperature=hot: expected a number"),
        ("train reacgan digits data.flip=maybe", "data.flip=maybe: expected true or false"),
        ("train reacgan digits conditioning=acgann", "unknown conditioning 'acgann': did you mean acgan?"),
        ("train reacgan digits schedule.batch_size", "'schedule.batch_size' is not an override: write part.field=value"),
        ("train reacgan digits data.resolution=17", "no network for 17 px images"),
        ("train reacgan digits --device tpu", "device 'tpu' is not available here: use auto, cpu"),
        ("train reacgan", "Missing argument 'DATASET' (see 'ganeval train --help')"),
        ("train reacgan digits --steps none", "'none' is not a valid integer range (see 'ganeval train --help')"),
        ("score nowhere", "nothing at nowhere: give a checkpoint folder, a run, a .pth file of PyTorch-StudioGAN, "),
        ("score nowhere --protocol small-v3", "unknown protocol 'small-v3': did you mean small-v2 or small-v1?"),
        ("score nowhere --metrics fidd", "unknown metric 'fidd': did you mean fid"),
        ("score nowhere --metrics FID", "unknown metric 'FID': did you mean fid"),
        ("score nowhere --metrics ,", "--metrics ',' names no metric: write keys such as fid,is"),
        ("score nowhere --out /proc/nowhere/card.json", "cannot write /proc/nowhere: no such file or directory"),
        ("score", "Missing argument 'SOURCE' (see 'ganeval score --help')"),
        ("sample nowhere --out grid.png", "no checkpoint at nowhere"),
        ("sample nowhere", "Missing option '--out'"),
        ("classifier train digitss --out cnn", "unknown dataset 'digitss': did you mean digits?"),
        ("leaderboard show digits --root .", "unknown leaderboard 'digits': known: none"),
        ("leaderboard export digits --root .", "unknown leaderboard 'digits': known: none"),
        ("ls recipies", "'recipies' is not one of 'recipes', 'datasets'"),
        ("scor nowhere", "No such command 'scor'"),
        ("--jsn ls recipes", "No such option '--jsn'"),
    ],
)
def test_words_that_mean_nothing(refused: Refused, words: str, said: str) -> None:
    assert said in refused(*words.split())


@pytest.mark.parametrize("words", [("score",), ("sample", "--out", "grid.png")])
def test_a_truncation_that_is_not_finite(refused: Refused, tiny_run: Path, words: tuple[str, ...]) -> None:
    for bound in ("inf", "1e999", "nan"):
        assert refused(*words, tiny_run, "--truncation", bound).endswith(": give a finite bound above 0, for example 0.5")


@pytest.mark.parametrize("words", [("score",), ("sample", "--out", "grid.png"), ("cas",)])
def test_a_seed_that_the_generator_of_latents_does_not_take(refused: Refused, tiny_run: Path, words: tuple[str, ...]) -> None:
    line = refused(*words, tiny_run, "--seed", LARGEST_SEED + 1)
    assert f"{LARGEST_SEED + 1} is not in the range 0<=x<={LARGEST_SEED}" in line


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("score", ""), "SOURCE"),
        (("score", "RUN", "--out", ""), "--out"),
        (("score", "RUN", "--per-class", ""), "--per-class"),
        (("sample", "", "--out", "grid.png"), "CHECKPOINT"),
        (("cas", ""), "SOURCE"),
        (("train", "reacgan", "digits", "--out", ""), "--out"),
        (("curve", ""), "RUN..."),
        (("leaderboard", "show", "digits", "--root", ""), "--root"),
    ],
)
def test_an_empty_path_is_not_the_current_folder(refused: Refused, tiny_run: Path, words: tuple[str, ...], option: str) -> None:
    line = refused(*(tiny_run if word == "RUN" else word for word in words))
    assert f"Invalid value for '{option}': the path is empty" in line


def test_a_dash_is_no_file(refused: Refused, tiny_run: Path) -> None:
    for words, option in ((("score", tiny_run, "--out", "-"), "--out"), (("ref", "digits", "--out", "-"), "--out")):
        assert f"Invalid value for '{option}': '-' is no file" in refused(*words)


def test_the_home_of_nobody_is_no_traceback(refused: Refused, images: Path) -> None:
    where = "~nobody-is-called-so/x"
    assert refused("score", images, "--dataset", where).startswith(f"no folder {where}:")
    assert refused("score", images, "--dataset", "digits", "--extractor", f"classifier:{where}").endswith(
        f"no checkpoint at {where}"
    )
    assert refused("score", images, "--dataset", "digits", "--extractor", f"inception:{where}").count(where)
    assert refused("score", where, "--dataset", "digits").startswith(f"nothing at {where}:")


def test_an_empty_dataset_is_not_the_current_folder(refused: Refused, images: Path) -> None:
    for words in (("train", "reacgan", ""), ("score", images, "--dataset", "")):
        assert refused(*words).startswith("the dataset has an empty name: give a registered one")


def test_more_images_than_fit_into_memory_are_refused_before_the_work(
    refused: Refused, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganeval.environment.memory", lambda: 64 * 2**30)
    said = "take 4,768 GiB of memory, and this machine has 64: ask for fewer images"
    features = f"the features of 20,000,000,000 images by digits-cnn {said}"
    assert refused("score", tiny_run, "--num", "20000000000") == features
    assert refused("train", "reacgan", "digits", "--eval-every", "1", "--eval-num", "20000000000") == features
    line = refused("cas", tiny_run, "--recipe", "small", "--num", "20000000000")
    assert line == f"20,000,000,000 images to train on {said}"


def test_real_images_that_do_not_fit_into_memory_are_refused_before_the_work(
    refused: Refused, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganeval.environment.memory", lambda: 64 * 2**30)
    for words in (("digits",), (images, "--extractor", "digits-cnn")):
        line = refused("ref", *words, "--resolution", "200000")
        assert " images of 200000x200000 pixels take " in line
        assert line.endswith("GiB of memory, and this machine has 64: choose a smaller resolution or fewer images")


@pytest.mark.parametrize("grid", ["nonsense", "8", "8x", "x8", "0x8", "8x8x8", "-8x8", "²x8", "8 x 8", "99999x99999"])
def test_a_grid_that_is_none(refused: Refused, tiny_run: Path, grid: str) -> None:
    line = refused("sample", tiny_run, "--out", "grid.png", "--grid", grid)
    assert line.startswith(f"--grid {grid}: write COLUMNSxROWS, for example 8x10")


@pytest.mark.parametrize(
    "file",
    ["manifest.json", "generator.safetensors", "ema.safetensors", "discriminator.safetensors", "g_optimizer.safetensors"],
)
def test_one_flipped_byte_in_any_file_of_a_checkpoint(refused: Refused, checkpoint: Path, file: str) -> None:
    damaged = bytearray((checkpoint / file).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (checkpoint / file).write_bytes(damaged)
    for words in (("score", checkpoint), ("sample", checkpoint, "--out", "grid.png")):
        assert refused(*words).startswith(f"{checkpoint / file} is damaged: ")


def test_a_truncated_and_an_incomplete_checkpoint(refused: Refused, checkpoint: Path) -> None:
    file = checkpoint / "ema.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert refused("score", checkpoint) == f"{file} is damaged: {len(whole) - 1} bytes instead of {len(whole)}"
    file.unlink()
    assert refused("score", checkpoint) == f"{file} is missing: the checkpoint is incomplete"


def test_a_run_without_a_checkpoint(refused: Refused, run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    gone = f"the run {run} has no checkpoint: {run / 'checkpoints' / 'step-00000002'} is gone"
    assert refused("score", run) == gone
    (run / "latest").unlink()
    assert refused("score", run) == f"the run {run} has no checkpoint yet"
    assert refused("sample", run, "--out", "grid.png") == f"the run {run} has no checkpoint yet"


def test_a_classifier_is_no_gan_and_a_gan_no_classifier(refused: Refused, checkpoint: Path, images: Path) -> None:
    from ganeval.extractors.digits_cnn import FOLDER

    for words in (("score", FOLDER), ("sample", FOLDER, "--out", "grid.png")):
        assert refused(*words).endswith("is a checkpoint of kind 'classifier': it holds no generator")
    line = refused("score", images, "--dataset", "digits", "--extractor", f"classifier:{checkpoint}")
    assert line == f"{checkpoint} has no classifier.safetensors: it is a checkpoint of another kind (gan)"


def test_an_unknown_extractor(refused: Refused, tiny_run: Path) -> None:
    line = refused("score", tiny_run, "--extractor", "digits-cn")
    assert line.startswith("unknown extractor 'digits-cn': did you mean digits-cnn?")
    assert "did you mean digits-cnn?" in refused("score", tiny_run, "--extractor", "Digits-CNN")
    assert refused("score", tiny_run, "--extractor", "classifier:nowhere") == "no checkpoint at nowhere"


def test_a_path_without_the_name_of_the_extractor(refused: Refused, tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "my-cnn").mkdir()
    (tmp_path / "my.pth").write_bytes(b"")
    line = refused("score", tiny_run, "--extractor", "my-cnn")
    assert line == "extractor 'my-cnn' is a path: write classifier:my-cnn"
    assert refused("score", tiny_run, "--extractor", "my.pth").startswith("extractor 'my.pth' is a path: write NAME:my.pth")


def test_a_grid_in_another_format_than_png(refused: Refused, tiny_run: Path) -> None:
    line = refused("sample", tiny_run, "--out", "grid.jpg")
    assert line == "--out grid.jpg: the grid is a PNG, give a name that ends in .png"


def test_a_corrupt_image_is_named(refused: Refused, images: Path) -> None:
    found = sorted((images / "3").iterdir())
    found[7].write_bytes(found[7].read_bytes()[:60])
    assert refused("score", images, "--dataset", "digits") == f"{found[7]} is damaged or no image: replace or remove it"


def test_an_empty_class_folder_is_named(refused: Refused, images: Path) -> None:
    for file in (images / "7").iterdir():
        file.unlink()
    assert refused("score", images, "--dataset", "digits").startswith(f"class folder {images / '7'} has no images")


def test_classes_that_do_not_match_are_named(refused: Refused, images: Path) -> None:
    (images / "7").rename(images / "seven")
    line = refused("score", images, "--dataset", "digits")
    assert line == f"the class folders of {images} are not the classes of 'digits': missing 7; unknown seven"


def test_images_of_two_sizes(refused: Refused, images: Path) -> None:
    from PIL import Image

    Image.new("L", (8, 8)).save(images / "0" / "small.png")
    line = refused("score", images, "--dataset", "digits")
    assert line == f"{images} has images of 2 sizes (8x8, 16x16): bring them to one size to score them"


def test_a_folder_of_images_without_its_dataset(refused: Refused, images: Path) -> None:
    line = refused("score", images)
    assert line == f"{images} is a folder of images: say what it is held against with --dataset NAME"
    assert refused("score", images, "--dataset", "digitz").startswith("unknown dataset 'digitz': did you mean digits?")


def test_a_number_of_images_with_a_folder(refused: Refused, images: Path) -> None:
    line = refused("score", images, "--dataset", "digits", "--num", "100")
    assert line == f"--num 100: the folder {images} has 500 images, and all of them are scored"


def test_a_folder_that_is_nothing(refused: Refused, run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = "is no checkpoint, no run and no folder of images root/<class>/* or root/*: nothing in it can be scored"
    assert refused("score", "empty") == f"empty {said}"
    line = refused("score", run / "checkpoints", "--dataset", "digits")
    assert line.endswith(f"holds runs or checkpoints: give one of them, for example {run / 'checkpoints' / 'step-00000001'}")
    assert refused("sample", "empty", "--out", "grid.png") == "empty is not a checkpoint: it has no manifest.json"


def test_fewer_samples_than_a_metric_needs(refused: Refused, tiny_run: Path, images: Path) -> None:
    line = refused("score", tiny_run, "--num", "249", "--metrics", "fid,kid")
    assert line == "kid: at least 250 images are needed, got 249: raise --num or choose other --metrics"
    for file in images.glob("*/*.png"):
        if file.name > "00100.png":
            file.unlink()
    left = len(list(images.glob("*/*.png")))
    line = refused("score", images, "--dataset", "digits", "--metrics", "kid")
    assert line == f"kid: at least 250 images are needed, got {left}: add images or choose other --metrics"


def test_another_dataset_than_the_checkpoints(refused: Refused, tiny_run: Path, images: Path) -> None:
    line = refused("score", tiny_run, "--dataset", images)
    assert line == (
        "dataset 'images' is not the one the checkpoint was trained on: its images have another SHA-256, give that one"
    )
    assert refused("score", tiny_run, "--dataset", "digitz").startswith("unknown dataset 'digitz': did you mean digits?")


def test_another_recipe_or_seed_in_the_folder_of_a_run(refused: Refused, run: Path) -> None:
    words = ["train", "reacgan", "digits", "--out", run, "--steps", "3"]
    line = refused(*words)
    assert re.fullmatch(
        rf"{run} holds another run \(backbone.d_channels: 2 -> \d+; backbone.g_channels: 2 -> \d+; "
        r"conditioning.embed_dim: 8 -> \d+; schedule.batch_size: 8 -> \d+\): choose another --out",
        line,
    )
    recipe = json.loads((run / "recipe.json").read_text())
    same = [
        f"{part}.{name}={recipe[part][name]}"
        for part, name in (key.split(".") for key in re.findall(r"[a-z]+\.[a-z_]+(?=:)", line))
    ]
    assert refused(*words, *same, "--seed", "1") == f"{run} holds another run (seed: 0 -> 1): choose another --out"


def test_a_folder_of_other_things_is_no_place_for_a_run(refused: Refused, images: Path) -> None:
    line = refused("train", "reacgan", "digits", "--out", images)
    assert line == f"{images} holds other files and is not a run: choose another --out"


@pytest.mark.parametrize(
    "words",
    [
        "train reacgan digits --steps 1 --out",
        "score RUN --metrics fid --num 10 --out",
        "score RUN --metrics fid --num 10 --leaderboard",
        "sample RUN --out",
        "classifier train digits --out",
    ],
)
@pytest.mark.parametrize("place", ["/proc/nowhere/below", "file/below"])
def test_no_permission_to_write(refused: Refused, tiny_run: Path, tmp_path: Path, words: str, place: str) -> None:
    (tmp_path / "file").write_text("in the way")
    line = refused(*(tiny_run if word == "RUN" else word for word in words.split()), place)
    above = place.rpartition("/")[0]
    assert line.startswith((f"cannot write {above}", f"cannot write into {above}: not a directory"))
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_file_that_may_not_be_read(
    ganeval: Callable[..., Result], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests may be allowed everything, so the operating system's refusal is played."""
    weights = checkpoint / "ema.safetensors"
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == weights:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    done = ganeval("sample", checkpoint, "--out", tmp_path / "grid.png")
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"ganeval: {weights}: permission denied\n")
    assert not (tmp_path / "grid.png").exists()


def test_a_file_where_a_folder_is_and_a_folder_where_a_file_is(refused: Refused, tiny_run: Path, images: Path) -> None:
    for words in (("score", tiny_run, "--metrics", "fid", "--num", "10"), ("sample", tiny_run)):
        assert refused(*words, "--out", images) == f"cannot write {images}: it is a folder, give the name of a file"
    assert refused("classifier", "train", "digits", "--out", images).startswith(f"{images} exists")
    (file, *_) = (images / "0").iterdir()
    assert refused("train", "reacgan", "digits", "--out", file) == f"{file} is a file: choose another --out"


@pytest.mark.parametrize(
    ("words", "a", "b"),
    [
        ("score source.npz --out source.npz --per-class -", "SOURCE source.npz", "--out source.npz"),
        ("score source.npz --per-class linked.npz", "SOURCE source.npz", "--per-class linked.npz"),
        ("score source.npz --out a.txt --per-class ./a.txt", "--out a.txt", "--per-class a.txt"),
        ("score model.pth --out a.npz --save-images a.npz", "--out a.npz", "--save-images a.npz"),
        ("score source.npz --reference r.npz --out r.npz", "--reference r.npz", "--out r.npz"),
        ("score source.npz --extractor inception --weights w.pth --out w.pth", "--weights w.pth", "--out w.pth"),
        ("cas source.npz --dataset digits --out source.npz", "SOURCE source.npz", "--out source.npz"),
        ("sample model.pth --out model.pth", "CHECKPOINT model.pth", "--out model.pth"),
        ("ref digits --extractor inception --weights w.npz --out w.npz", "--weights w.npz", "--out w.npz"),
    ],
)
def test_what_is_written_never_replaces_what_is_read_or_else_is_written(
    refused: Refused, words: str, a: str, b: str, tmp_path: Path
) -> None:
    for name in ("source.npz", "model.pth", "r.npz", "w.pth", "w.npz"):
        (tmp_path / name).write_bytes(b"precious")
    (tmp_path / "linked.npz").symlink_to("source.npz")
    assert refused(*words.split()) == f"{a} and {b} are the same file: give two names"


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("--save-features out/features", "--save-images out"),
        ("--save-images out/images", "--save-features out"),
        ("--out out/card.json", "--save-features out"),
    ],
)
def test_what_is_written_does_not_lie_inside_of_what_else_is(refused: Refused, inner: str, outer: str, tmp_path: Path) -> None:
    said = refused("score", "model.pth", *inner.split(), *outer.split())
    assert said == f"{inner} lies inside of {outer}: give two places"
    assert not (tmp_path / "out").exists()


def test_a_cache_that_cannot_be_written(refused: Refused, tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANEVAL_HOME", "/proc/nowhere")
    line = refused("score", tiny_run, "--metrics", "fid", "--num", "10")
    assert line.startswith("cannot write /proc/nowhere: no such file or directory: set GANEVAL_HOME")


def test_a_leaderboard_that_is_none(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "measured").mkdir()
    (tmp_path / "measured" / "digits.csv").write_text("a,b\n1,2\n")
    line = refused("leaderboard", "show", "digits", "--root", ".")
    assert line == "measured/digits.csv is not a leaderboard: it has no column dataset"
    assert refused("leaderboard", "show", "digit", "--root", ".").startswith("unknown leaderboard 'digit': did you mean digits?")
