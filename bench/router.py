"""The router's figures, by the name of the module that measures each: `python -m bench router` measures all of them."""

from __future__ import annotations

PARTS = {
    "router_core": "the core alone with 50,000 agents: inputs/s, the match step, its slowest input, its memory",
    "router_sweep": "matching alone, 10,000 agents and 1,000 contacts, beside a scan in Python",
    "router_curves": "what an input costs as agents, contacts, attributes and expressions grow; draws docs/router-cost.svg",
}
