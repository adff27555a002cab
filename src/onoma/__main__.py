"""`python -m onoma` is the command `onoma`."""

from __future__ import annotations

import sys

from onoma.cli import main

if __name__ == "__main__":
    sys.exit(main())
