"""``python -m scorer`` is the ``scorer`` command."""

from scorer.cli import main

if __name__ == "__main__":
    main()
