"""The command ``rateway [FILE]``: twistd in the foreground, without a pid file."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from twisted.python.usage import UsageError
from twisted.scripts import twistd

from rateway.tap import Options


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until stopped; ``--help`` and ``--version`` answer and exit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Once by ourselves, for twistd would answer to a mistake with its own usage.
        Options().parseOptions(given)
    except UsageError as error:
        print(f"rateway: {str(error).rstrip('.')}; see rateway --help", file=sys.stderr)
        raise SystemExit(2) from None
    sys.argv = ["rateway", "--nodaemon", "--pidfile=", "rateway", *given]
    twistd.run()


if __name__ == "__main__":
    main()
