"""The run folder: what it holds, who may write to it, and what a resumed run finds there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ganeval.checkpoints import LATEST, canonical_json, is_folder, load_folder, pointed_to, save_folder, saved_in
from ganeval.errors import UserError
from ganeval.files import UNFINISHED, disk_errors, remove_folder, remove_unfinished, write_text
from ganeval.recipes.recipe import Recipe
from ganeval.recipes.schema import difference, from_json, to_json
from ganeval.training.engine import PLAIN
from ganeval.training.history import EVALS, INCIDENTS, LOG, cut_lines
from ganeval.training.state import TrainState

BEST = "best"
IDENTITY = "run.json"
RECIPE = "recipe.json"
ENVIRONMENT = "environment.json"
NAN_REPORT = "nan-report.json"


class RunFolder:
    """``recipe.json``, ``run.json`` (dataset, seed), ``environment.json``, ``log.jsonl``, ``evals.jsonl``, ``grids/``,
    ``checkpoints/`` and the pointers ``latest`` and ``best``.

    Use it as a context: it holds the folder's lock, so that two processes never train in one folder.
    """

    def __init__(self, path: Path, recipe: dict[str, Any], identity: dict[str, Any], keep: int = 2) -> None:
        self.path, self.keep = path, keep
        self.recipe, self.identity = recipe, identity
        self.checkpoints = path / "checkpoints"
        self._lock = FileLock(path / ".lock")

    def __enter__(self) -> RunFolder:
        with disk_errors(self.path):
            self._refuse_foreign_folder()
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except Timeout as error:
                raise UserError(f"another process is training in {self.path}: wait for it or choose another --out") from error
        try:
            self._refuse_other_run()
            remove_unfinished(self.path)
            remove_unfinished(self.checkpoints)
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._lock.release()

    def start(self, environment: Mapping[str, str]) -> None:
        """Write what identifies the run, unless it is there; why it stopped before is history now."""
        (self.path / NAN_REPORT).unlink(missing_ok=True)
        write_text(self.path / ENVIRONMENT, canonical_json(dict(environment)))
        if not (self.path / IDENTITY).exists():
            write_text(self.path / RECIPE, canonical_json(self.recipe))
            write_text(self.path / IDENTITY, canonical_json(self.identity))

    def latest(self) -> Path | None:
        """The checkpoint to resume from, or ``None`` before the first."""
        return pointed_to(self.path, LATEST)

    def best(self) -> Path | None:
        """The checkpoint that scored best, or ``None`` where none was scored."""
        return pointed_to(self.path, BEST)

    def point_best(self, step: int | None) -> None:
        """Point ``best`` to the checkpoint of ``step``, or nowhere."""
        if step is None:
            (self.path / BEST).unlink(missing_ok=True)
        else:
            write_text(self.path / BEST, f"checkpoints/{self.checkpoint(step).name}\n")

    def checkpoint(self, step: int) -> Path:
        """Where the checkpoint of ``step`` is, or would be."""
        return self.checkpoints / f"step-{step:08d}"

    def resume(self, state: TrainState) -> None:
        """Load the latest checkpoint, where there is one, into ``state``, and cut log and evaluations at its step."""
        latest = self.latest()
        try:
            if latest:
                state.load(load_folder(latest))
        except UserError as error:
            raise UserError(f"{error}{self._way_back(latest)}") from error
        self._cut(state.step)

    def save(self, state: TrainState, environment: Mapping[str, str]) -> Path:
        """Write a checkpoint, point ``latest`` to it, and only then remove the oldest beyond ``keep``, but never the best."""
        path = self.checkpoint(state.step)
        if is_folder(path):
            remove_folder(path)  # Left by a kill between the rename and the pointer: it is being written again.
        record = {"kind": "gan", "step": state.step, "recipe": self.recipe, **self.identity, "environment": dict(environment)}
        record |= state.guard.record()
        save_folder(path, state.tensors(), record)
        write_text(self.path / LATEST, f"checkpoints/{path.name}\n")
        saved = saved_in(self.path)
        earlier = [other for other in saved if other.name < path.name]
        left_behind = [other for other in saved if other.name > path.name]  # by a run that went back to an earlier one
        for old in earlier[: max(len(earlier) - self.keep + 1, 0)] + left_behind:
            if old != self.best():
                remove_folder(old)
        return path

    def log(self, line: Mapping[str, Any]) -> None:
        """Append one JSON line to the log."""
        self.append(LOG, line)

    def incident(self, line: Mapping[str, Any]) -> None:
        """Append one JSON line to the list of updates that were left out or altered."""
        self.append(INCIDENTS, line)

    def append(self, name: str, line: Mapping[str, Any]) -> None:
        """Append one JSON line to the file ``name``."""
        with disk_errors(self.path / name), (self.path / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(line), allow_nan=False) + "\n")

    def _cut(self, step: int) -> None:
        """Drop the lines beyond ``step``."""
        for name, last in ((LOG, step), (EVALS, step), (INCIDENTS, step - 1)):  # incidents count the steps done before
            with disk_errors(self.path / name):
                cut_lines(self.path / name, last)

    def _way_back(self, latest: Path | None) -> str:
        """What to do where the checkpoint ``latest`` cannot be loaded."""
        others = [path.name for path in saved_in(self.path) if path != latest]
        if not others:
            return "; there is no other in this run: choose another --out to begin anew"
        return f"; another is {others[-1]}: to go back to it, write 'checkpoints/{others[-1]}' into {self.path / LATEST}"

    def _refuse_foreign_folder(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file: choose another --out")
        ours = {IDENTITY, RECIPE, ENVIRONMENT, ".lock"}
        content = {path.name for path in self.path.iterdir()} if self.path.is_dir() else set()
        content = {name for name in content if not name.startswith(UNFINISHED)}  # left by a kill
        if IDENTITY not in content and content - ours:
            raise UserError(f"{self.path} holds other files and is not a run: choose another --out")

    def _refuse_other_run(self) -> None:
        if not (self.path / IDENTITY).exists():
            return
        old = {**PLAIN, **_read_json(self.path / IDENTITY), "recipe": _as_written_today(_read_json(self.path / RECIPE))}
        changes = difference(old, {**PLAIN, **self.identity, "recipe": self.recipe})
        if changes:
            shown = "; ".join(change.removeprefix("recipe.") for change in changes[:4])
            more = f" and {len(changes) - 4} more" if len(changes) > 4 else ""
            only_init = "init_sha256" in self.identity and all(change.startswith("init_sha256") for change in changes)
            remedy = ", or go on with it without --init" if only_init and began_with(self.path) else ""
            raise UserError(f"{self.path} holds another run ({shown}{more}): choose another --out{remedy}")


def began_with(path: Path) -> dict[str, str]:
    """``init_sha256`` of a run in ``path`` that has begun with other weights and has a checkpoint of its own: they are needed no
    more, and may be gone. Nothing for any other."""
    if not (path / IDENTITY).is_file() or not saved_in(path):
        return {}
    return {name: value for name, value in _read_json(path / IDENTITY).items() if name == "init_sha256"}


def _as_written_today(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe of an earlier version with the fields that came since at their defaults; as it is where it no longer fits."""
    try:
        content: dict[str, Any] = to_json(from_json(Recipe, recipe))
    except UserError:
        return recipe
    return content


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged: it holds no JSON object")
    return content
