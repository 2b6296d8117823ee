"""The router's figures, by the name of the module that measures each: `python -m bench router` measures all of them."""

from __future__ import annotations

PARTS = {
    "router_core": "the core alone with 50,000 agents: inputs/s, the match step, its slowest input, its memory",
    "router_sweep": "matching alone, 10,000 agents and 1,000 contacts, beside a scan in Python",
    "router_curves": "what an input costs as agents, contacts, attributes and expressions grow; draws docs/router-cost.svg",
    "router_worker": "the router's process on Kafka: inputs/s of a backlog beside the plain pump and a bare loop; 1,500/s held",
    "router_latency": "request to offer at 400 assignments/s, the offer read in the journal",
    "router_peer": "single-skill work beside a queue in PostgreSQL",
    "router_restart": "killed with 50,000 agents and 10,000 waiting: to the next offer, by a restart and by a follower",
    "router_quality": "assignments beside exact optima, on published seeds",
}
