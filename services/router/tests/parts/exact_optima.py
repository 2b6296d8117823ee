"""Exact optima of assignments, to measure the router's by."""

from collections import deque


def largest_matching(wanted):
    """How many can be matched at once: `wanted` gives for each left node its right nodes (0, 1, ...).

    Hopcroft and Karp, "An n^(5/2) algorithm for maximum matchings in bipartite graphs", SIAM J. Comput. 2 (1973).
    """
    left = [-1] * len(wanted)
    right = {}
    while True:
        level = _levels(wanted, left, right)
        if level is None:
            return sum(mate >= 0 for mate in left)
        for node, mate in enumerate(left):
            if mate < 0:
                _augment(node, wanted, left, right, level)


def _levels(wanted, left, right):
    """Layers of the alternating paths from the free left nodes; None where none ends at a free right node."""
    level = {node: 0 for node, mate in enumerate(left) if mate < 0}
    queue, reached = deque(level), False
    while queue:
        node = queue.popleft()
        for other in wanted[node]:
            mate = right.get(other)
            if mate is None:
                reached = True
            elif mate not in level:
                level[mate] = level[node] + 1
                queue.append(mate)
    return level if reached else None


def _augment(node, wanted, left, right, level):
    """One path along the layers, depth first, without recursion."""
    path = [(node, iter(wanted[node]))]
    taken = []
    while path:
        at, others = path[-1]
        for other in others:
            mate = right.get(other)
            if mate is None:
                for (mine, _), theirs in zip(path, [*taken, other], strict=True):
                    left[mine], right[theirs] = theirs, mine
                return
            if level.get(mate) == level[at] + 1:
                taken.append(other)
                path.append((mate, iter(wanted[mate])))
                break
        else:
            level.pop(at)
            path.pop()
            if taken:
                taken.pop()


def highest_value(values):
    """The largest sum of one entry from each row, no column twice; rows are at most as many as columns.

    The Hungarian method with potentials and shortest augmenting paths: Kuhn, Naval Res. Logist. Q. 2 (1955); Jonker and
    Volgenant, Computing 38 (1987).
    """
    rows, columns = len(values), len(values[0])
    row_price, column_price = [0] * (rows + 1), [0] * (columns + 1)
    owner = [0] * (columns + 1)
    infinite = float("inf")
    for row in range(1, rows + 1):
        owner[0] = row
        at = 0
        shortest, before, done = [infinite] * (columns + 1), [0] * (columns + 1), [False] * (columns + 1)
        while owner[at]:
            done[at] = True
            current, step, following = owner[at], infinite, 0
            costs = values[current - 1]
            for column in range(1, columns + 1):
                if done[column]:
                    continue
                reduced = -costs[column - 1] - row_price[current] - column_price[column]
                if reduced < shortest[column]:
                    shortest[column], before[column] = reduced, at
                if shortest[column] < step:
                    step, following = shortest[column], column
            for column in range(columns + 1):
                if done[column]:
                    row_price[owner[column]] += step
                    column_price[column] -= step
                else:
                    shortest[column] -= step
            at = following
        while at:
            owner[at] = owner[before[at]]
            at = before[at]
    return sum(values[owner[column] - 1][column - 1] for column in range(1, columns + 1) if owner[column])
