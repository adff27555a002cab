"""The one exception that users see."""


class OnomaError(ValueError):
    """Raised for input or files that onoma cannot work with.

    The message is one sentence that says what came in, what was expected and what to do; the command line prints it
    without a traceback.

        >>> raise OnomaError("labels is empty; give at least one label name, e.g. ['person'].")  # doctest: +SKIP
    """
