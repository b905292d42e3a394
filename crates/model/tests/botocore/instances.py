"""Random instances of a shape, inside every constraint of the service model.

An instance of a kind's spec is drawn small (required members, least sizes), large (all members,
greatest sizes) or anything between. `covering` goes on until every place of the shape was filled.
"""

import random

from service import bounds, is_union, places, spec_shape, values_of

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:"
UNICODE = "äßñ€日本語🙂 \t\"\\"
LONGEST_WITHOUT_MAXIMUM = {"string": 40, "list": 3}


class Drawing:
    """One instance; `fullness` is the chance of an optional member, `size` picks between bounds."""

    def __init__(self, rng, fullness, size):
        self.rng = rng
        self.fullness = fullness
        self.size = size
        self.filled = set()

    def draw(self, shape, path=()):
        self.filled.add(path)
        return getattr(self, f"draw_{shape.type_name}")(shape, path)

    def draw_structure(self, shape, path):
        names = list(shape.members)
        if is_union(shape):
            names = [self.rng.choice(names)]
        else:
            required = shape.required_members
            names = [n for n in names if n in required or self.rng.random() < self.fullness]
        return {name: self.draw(shape.members[name], path + (name,)) for name in names}

    def draw_list(self, shape, path):
        return [self.draw(shape.member, path + ("[]",)) for _ in range(self.length(shape))]

    def draw_string(self, shape, _path):
        if values := values_of(shape):
            return self.rng.choice(values)
        alphabet = PLAIN if "pattern" in shape.metadata else PLAIN + UNICODE
        return "".join(self.rng.choice(alphabet) for _ in range(self.length(shape)))

    def draw_integer(self, shape, _path):
        least, greatest = bounds(shape)
        return self.rng.choice([least, greatest, self.rng.randint(least, greatest)])

    draw_long = draw_integer

    def draw_boolean(self, _shape, _path):
        return self.rng.random() < 0.5

    def length(self, shape):
        least = shape.metadata.get("min", 0)
        greatest = shape.metadata.get("max", LONGEST_WITHOUT_MAXIMUM[shape.type_name])
        if self.size == "least":
            return least
        if self.size == "greatest":
            return greatest
        return self.rng.randint(least, greatest)


def covering(kind, seed, at_least):
    """Yields instances of a kind's spec until there are enough and every place has been filled."""
    rng = random.Random(f"{kind} {seed}")
    shape = spec_shape(kind)
    open_places = {path for path, _ in places(shape)}
    for number in range(100 * at_least):
        fullness, size = rng.choice([(0.0, "least"), (1.0, "greatest"), (0.9, "any"), (0.5, "any")])
        drawing = Drawing(rng, fullness, size)
        yield drawing.draw(shape)
        open_places -= drawing.filled
        if number + 1 >= at_least and not open_places:
            return
    raise AssertionError(f"no {kind} instance reached {sorted(open_places)}")
