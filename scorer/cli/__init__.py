"""The ``scorer`` command: one file per subcommand, loaded only when it is asked for.

``scorer --help`` reads the table below and nothing else; in particular only ``worker`` (and the
demo, which starts one) ever import Faust.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from scorer import __version__
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

GC_THRESHOLDS = (50_000, 50, 1_000)

# name -> (module that has ``command``, its line in ``scorer --help``), in the order of a first day
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("scorer.cli.demo", "Watch invented leads travel the whole road, live."),
    "dev": ("scorer.cli.dev", "A real Kafka for development."),
    "topics": ("scorer.cli.topics", "Create and check the topics."),
    "check": ("scorer.cli.check", "Show every mistake of rule files."),
    "test": ("scorer.cli.test", "Run the tests of rule files."),
    "rules": ("scorer.cli.rules", "Show a rule file and put it in force."),
    "shadow": ("scorer.cli.shadow", "Try a rule file beside the one in force."),
    "worker": ("scorer.cli.worker", "Score: read the doors, keep the scores, emit outcomes."),
    "collector": ("scorer.cli.collector", "Take events over HTTP: SDKs, webhooks, pixels."),
    "health": ("scorer.cli.health", "Ask a running worker or collector whether it is well."),
    "traffic": ("scorer.cli.traffic", "Invented publishers for a collector that is being tried."),
    "pixel": ("scorer.cli.pixel", "Make addresses of pixels for mails."),
    "link": ("scorer.cli.link", "Make tracked links for mails."),
    "import": ("scorer.cli.import_", "Bring in history."),
    "log": ("scorer.cli.log", "Export the lead log, or move it."),
    "dead-letters": ("scorer.cli.dead_letters", "List, inspect and re-drive what could not be used."),
    "erase": ("scorer.cli.erase", "Forget a person, and prove it."),
    "subject-access": ("scorer.cli.subject_access", "Show everything that is held about a person."),
    "explain": ("scorer.cli.explain", "Show why a lead stands where it does, now or then."),
    "insights": ("scorer.cli.insights", "Count what has become of leads, and chart it."),
    "capacity": ("scorer.cli.capacity", "Size an installation for so many events a day."),
    "replay": ("scorer.cli.replay", "Score recorded events without a broker."),
    "backtest": ("scorer.cli.backtest", "Compare rule files over recorded events."),
}

INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C
BUG = 70  # sysexits.h EX_SOFTWARE


class LazyGroup(click.Group):
    """A group that knows its commands' names and help lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="scorer %(version)s")
def scorer() -> None:
    """Scores leads the moment they act, and says so the moment one is worth a call.

    Settings are environment variables SCORER_<SETTING>; flags override them.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code; ``arguments`` are the process's unless given.

    A command may return an int as its exit code. Nothing is raised for what a user can do wrong;
    an error of our own is one line too, with its traceback when SCORER_DEBUG is set.
    """
    try:
        result = scorer.main(args=arguments, prog_name="scorer", standalone_mode=False)
    except UserError as error:
        return _complain(error.message, error.hint, error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe (`scorer log export | head`) has left. Python would complain again
        # when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("SCORER_DEBUG"):
            raise
        if _logs_json():
            import logging

            from scorer.logs import said

            logging.getLogger("scorer").critical("fatal: %s", said(error), exc_info=error)
            return BUG
        text = f"internal error: {type(error).__name__}: {error}"
        return _complain(text, "this is a bug; SCORER_DEBUG=1 shows where", BUG)
    return result if isinstance(result, int) else 0


def _logs_json() -> bool:
    """Whether the command that has run writes a log of JSON, in which its last words belong, too."""
    logs = sys.modules.get("scorer.logs")
    return logs is not None and bool(logs.in_json())


def _complain(message: str, hint: str | None, exit_code: int) -> int:
    if _logs_json():
        import logging

        logging.getLogger("scorer").critical("stopped: %s", message, extra={"hint": hint})
        return exit_code
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message}", err=True)
    if hint:
        click.echo(f" {click.style('hint:', fg='cyan')} {hint}", err=True)
    return exit_code


def main() -> NoReturn:
    """The console script."""
    # Commands keep up to millions of leads in memory, and the collector would walk them again and again:
    # a third of a rebuild's time.
    gc.set_threshold(*GC_THRESHOLDS)
    if os.getpid() == 1:
        # In a container: nothing ends process 1 that it has not asked for. Commands with a clean stop of
        # their own replace this.
        signal.signal(signal.SIGTERM, _end)
    sys.exit(run())


def _end(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - a signal handler's
    raise SystemExit(128 + number)
