"""What ends a run, told in one sentence with the remedy."""


class BenchmarkError(Exception):
    """The harness cannot go on; its text is for the person at the terminal."""


class WrongAnswerError(BenchmarkError):
    """A server does not do the job it would be measured for."""
