"""Errors that are shown as one line and a hint, never as a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something the person at the keyboard can put right: a missing tool, a bad file, a wrong address.

    The command line prints ``message`` and, on a line of its own, ``hint``, and exits with
    ``exit_code`` (1 to 125; 2 unless a command's help says otherwise).
    """

    def __init__(self, message: str, hint: str | None = None, exit_code: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class CannotContinue(Exception):  # noqa: N818 - a state of affairs, not a fault of the program
    """Going on would lose or invent something. The message says what is the matter, ``hint`` what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
