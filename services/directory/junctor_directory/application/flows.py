"""Checks of flows: every node leads somewhere, and no way through it turns round for ever without the caller."""

from __future__ import annotations

from collections.abc import Collection

from junctor.directory.v1 import directory_pb2 as pb

from junctor_directory.application.problems import Place, listed

KEYS = "0123456789*#ABCD"


def check_flow(place: Place, value: pb.Flow, *, queues: Collection[str], prompts: frozenset[str]) -> None:
    if not value.start:
        place.problem("start", f"a first node is needed; {listed('node', value.nodes)}")
    place.known("start", "node", value.start, value.nodes)
    for id, node in sorted(value.nodes.items()):
        path = f"nodes/{id}"
        action = node.WhichOneof("action")
        if action is None:
            place.problem(path, f"node '{id}' does nothing; it needs menu, play, decide, route or hang_up")
            continue
        path = f"{path}/{action}"
        for field, target in targets(node):
            if not target:
                place.problem(f"{path}/{field}", f"node '{id}': {field} leads nowhere; {listed('node', value.nodes)}")
            place.known(f"{path}/{field}", "node", target, value.nodes)
        for field, prompt in _prompts(node):
            place.known(f"{path}/{field}", "prompt", prompt, prompts)
        match action:
            case "menu":
                for key in node.menu.choices:
                    if key not in KEYS or len(key) != 1:
                        place.problem(f"{path}/choices/{key}", f"'{key}' is no key of a phone; keys: {KEYS}")
                if not node.menu.choices:
                    place.problem(f"{path}/choices", f"node '{id}': a menu needs choices")
                if node.menu.timeout_ms < 0:
                    place.problem(f"{path}/timeout_ms", "a time cannot be negative")
            case "route":
                if not node.route.queue:
                    place.problem(f"{path}/queue", f"node '{id}': a queue is needed; {listed('queue', queues)}")
                place.known(f"{path}/queue", "queue", node.route.queue, queues)
    _check_ways(place, value)


def targets(node: pb.FlowNode) -> list[tuple[str, str]]:
    """The fields that name another node, and the node they name."""
    match node.WhichOneof("action"):
        case "menu":
            choices = [(f"choices/{key}", target) for key, target in sorted(node.menu.choices.items())]
            return [*choices, ("otherwise", node.menu.otherwise)]
        case "play":
            return [("next", node.play.next)]
        case "decide":
            branches = [(f"branches/{n}/next", branch.next) for n, branch in enumerate(node.decide.branches)]
            return [*branches, ("otherwise", node.decide.otherwise)]
        case _:
            return []


def _prompts(node: pb.FlowNode) -> list[tuple[str, str]]:
    match node.WhichOneof("action"):
        case "menu":
            lists = [(f"prompts/{n}", prompt) for n, prompt in enumerate(node.menu.prompts)]
            return [
                *lists,
                ("invalid_prompt", node.menu.invalid_prompt),
                ("no_input_prompt", node.menu.no_input_prompt),
            ]
        case "play":
            return [(f"prompts/{n}", prompt) for n, prompt in enumerate(node.play.prompts)]
        case "hang_up":
            return [(f"prompts/{n}", prompt) for n, prompt in enumerate(node.hang_up.prompts)]
        case "route":
            return [("wait_prompt", node.route.wait_prompt)]
        case _:
            return []


def _check_ways(place: Place, value: pb.Flow) -> None:
    reached: set[str] = set()
    todo = [value.start]
    while todo:
        id = todo.pop()
        if id in reached or id not in value.nodes:
            continue
        reached.add(id)
        todo.extend(target for _, target in targets(value.nodes[id]))
    for id in sorted(set(value.nodes) - reached):
        place.warning(f"nodes/{id}", f"no way leads to node '{id}'")
    for id in sorted(reached):
        if _returns_at_once(value, id):
            place.problem(f"nodes/{id}", f"node '{id}' can lead back to itself without a word to the caller")


def _returns_at_once(value: pb.Flow, start: str) -> bool:
    """Whether a chain of nodes that take no time goes round."""
    seen: set[str] = set()
    todo = _silent_targets(value, start)
    while todo:
        id = todo.pop()
        if id == start:
            return True
        if id not in seen:
            seen.add(id)
            todo.extend(_silent_targets(value, id))
    return False


def _silent_targets(value: pb.Flow, id: str) -> list[str]:
    node = value.nodes.get(id) if id in value.nodes else None
    if node is None or (node.WhichOneof("action") == "play" and node.play.prompts):
        return []
    if node.WhichOneof("action") not in {"decide", "play"}:
        return []
    return [target for _, target in targets(node)]
