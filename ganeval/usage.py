"""How the command line behaves when something is wrong: one line on stderr, and an exit status that says whose turn it is."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from ganeval.errors import UserError
from ganeval.team import leads

USER_MISTAKE, INTERRUPTED = 2, 130


class Mistake(click.UsageError):
    """A mistake in the words of the command line, said in one line."""

    def show(self, file: IO[Any] | None = None) -> None:
        command = self.ctx.command_path if self.ctx else "ganeval"
        click.echo(f"ganeval: {_one_line(self.format_message()).rstrip('.')} (see '{command} --help')", err=True)


@contextmanager
def _usage_in_one_line() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        if type(error).show is not click.UsageError.show:
            raise  # It speaks for itself: the help of a group without a command.
        raise Mistake(error.format_message(), error.ctx) from error


def _one_line(text: str) -> str:
    return " ".join(text.split())


class Group(click.Group):
    """A group that turns mistakes of the user into one line on stderr and exit status 2."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _usage_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _usage_in_one_line():
                return super().invoke(ctx)
        except UserError as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            if not (leads() or error.mine_to_say):
                ctx.exit(error.exit_status)
            click.echo(f"ganeval: {_one_line(str(error))}", err=True)
            ctx.exit(error.exit_status)
        except KeyboardInterrupt:
            click.echo("ganeval: interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader of our results went away (| head): nothing is left to say, not even at interpreter exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except OSError as error:  # a file that cannot be read, wherever that is: no permission, a medium that fails
            if error.filename is None:
                raise
            if ctx.params.get("debug"):
                traceback.print_exc()
            click.echo(f"ganeval: {error.filename}: {_one_line(error.strerror or str(error)).lower()}", err=True)
            ctx.exit(USER_MISTAKE)
