"""What changes from round to round: the learning rate eta_t and Gamma_t."""

from dataclasses import dataclass

from fairfl import _checks


@dataclass(frozen=True)
class Schedule:
    """In round t ``first * decay ** (t - 1)``, both positive.

    The paper keeps Gamma constant (``decay=1``). Then every round moves the server by
    about Gamma, however near to an optimum it is; a decay lets training settle.
    ValueError if `first` or `decay` is not a positive finite number.
    """

    first: float
    decay: float = 1.0

    def __post_init__(self) -> None:
        _checks.positive(first=self.first, decay=self.decay)
        for name in ("first", "decay"):  # plain floats, whatever numpy or torch gave
            object.__setattr__(self, name, float(getattr(self, name)))

    def __call__(self, t: int) -> float:
        """The value in round t = 1, 2, ..."""
        return self.first * self.decay ** (t - 1)


def schedule(name: str, value: Schedule | float) -> Schedule:
    """`value` as a schedule; a number is one that stays. ValueError, which names
    `name`, if it is neither a schedule nor a positive finite number."""
    if isinstance(value, Schedule):
        return value
    try:
        return Schedule(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
