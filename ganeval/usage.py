"""How the command line behaves when something is wrong: one line on stderr, and an exit status that says whose turn it is."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from ganeval.errors import UserError, user_errors
from ganeval.processes import launched

INTERRUPTED = 130


class Mistake(click.UsageError):
    """A mistake in the words of the command line, said in one line."""

    def show(self, file: IO[Any] | None = None) -> None:
        command = self.ctx.command_path if self.ctx else "ganeval"
        _say(f"{self.format_message().rstrip('.')} (see '{command} --help')")


@contextmanager
def _usage_in_one_line() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        if type(error).show is not click.UsageError.show:
            raise  # It speaks for itself: the help of a group without a command.
        raise Mistake(error.format_message(), error.ctx) from error


def _say(text: str, mine: bool | None = None) -> None:
    """One line on stderr, where it is this process's to say it; of processes that found it unconnected, the first one's."""
    if launched().first if mine is None else mine:
        click.echo(f"ganeval: {' '.join(text.split())}", err=True)


class Group(click.Group):
    """A group that turns mistakes of the user into one line on stderr and exit status 2."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _usage_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _usage_in_one_line(), user_errors():
                return super().invoke(ctx)
        except UserError as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            _say(str(error), error.mine_to_say)
            ctx.exit(error.exit_status)
        except KeyboardInterrupt:
            _say("interrupted")
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader of our results went away (| head): nothing is left to say.
            _forget_what_is_printed()
            ctx.exit(0)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            _forget_what_is_printed()
            _say("no space left on device: make room, the same command goes on")
            ctx.exit(UserError.exit_status)


def _forget_what_is_printed() -> None:
    """Nothing more reaches stdout, not even what is flushed at interpreter exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
