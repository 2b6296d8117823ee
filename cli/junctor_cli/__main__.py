"""`junctor`: one file per command in this package, each with a `command`, listed here."""

import importlib

import click

# Name of the command and its file; imported when it is asked for, so that `junctor --help` stays quick.
COMMANDS = {
    "demo": "a site, twenty calls, five chats, and the report",
    "up": "start a site on this machine",
    "down": "stop it",
    "status": "what runs, where, and how it is",
    "logs": "what a component wrote",
    "token": "make a token for a person or a program",
    "site": "two sites: who leads, what does not count, take over",
    "witness": "the third voter of two sites, in a third place",
    "topics": "make the topics that the services need",
    "check": "ask a site's parts whether they work",
    "apply": "bring a tenant file into force, or undo a revision",
    "sql": "ask ClickHouse in SQL",
    "contact": "what became of one contact",
    "trace": "the spans of a contact's trace as a tree",
    "dlq": "inputs that a service could not apply: look, drive again",
    "replay": "apply a journal again and compare",
    "whatif": "recorded contacts once more, under other plans",
    "shadow": "other plans beside the live ones",
    "scores": "which agents are worth most to which customers, from what came of past contacts",
    "simulate": "a day that may be, through the router's own core",
}


class Commands(click.Group):
    """The commands of COMMANDS, each from the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which one needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The `command` of the module; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        found = importlib.import_module(f"junctor_cli.{cmd_name}").command
        if not isinstance(found, click.Command):
            raise TypeError(f"junctor_cli.{cmd_name}.command is not a click command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and what they are for, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands)
@click.version_option(package_name="junctor-cli", prog_name="junctor")
def cli() -> None:
    """Junctor: a contact-centre platform."""


def main() -> None:
    """The console script. Exit status 2 for a wrong command line, 1 for what a command could not do."""
    cli(prog_name="junctor")


if __name__ == "__main__":
    main()
