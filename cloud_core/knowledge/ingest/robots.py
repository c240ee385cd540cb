"""robots.txt as RFC 9309 has it: the longest rule that matches decides, `*` and `$` count."""

from collections.abc import Iterator
from urllib.parse import unquote

MOST_BYTES = 500 * 2**10
_MOST_DELAY_S = 10.0


class Robots:
    """What one site allows `agent`."""

    def __init__(self, text: str, agent: str) -> None:
        groups = list(_groups(text))
        own = [lines for agents, lines in groups if agent.lower() in agents]
        others = [lines for agents, lines in groups if "*" in agents]
        lines = [line for group in own or others for line in group]
        self._rules = [(unquote(path), name == "allow") for name, path in lines if name != "crawl-delay" and path]
        self.delay_s = max((_delay(value) for name, value in lines if name == "crawl-delay"), default=0.0)

    def allows(self, path: str) -> bool:
        """`path` with its query."""
        path = unquote(path)
        found = [(len(pattern), allowed) for pattern, allowed in self._rules if _matches(pattern, path)]
        return max(found, default=(0, True))[1]


def _groups(text: str) -> Iterator[tuple[set[str], list[tuple[str, str]]]]:
    agents: set[str] = set()
    lines: list[tuple[str, str]] = []
    for raw in text[:MOST_BYTES].splitlines():
        name, _, value = (part.strip() for part in raw.split("#", 1)[0].partition(":"))
        if name.lower() == "user-agent":
            if lines:
                yield agents, lines
                agents, lines = set(), []
            agents.add(value.lower())
        elif name.lower() in ("allow", "disallow", "crawl-delay"):
            lines.append((name.lower(), value))
    yield agents, lines


def _delay(value: str) -> float:
    try:
        return min(max(float(value), 0.0), _MOST_DELAY_S)
    except ValueError:
        return 0.0


def _matches(pattern: str, path: str) -> bool:
    ends = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    place = len(first)
    for part in rest:
        place = path.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return not ends or place == len(path) or (bool(rest) and path.endswith(rest[-1]))
