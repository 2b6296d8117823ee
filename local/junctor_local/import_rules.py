"""Rules of import that import-linter has no contract for; `.importlinter` uses them."""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class OnlyStandardLibrary(Contract):
    """Modules of the packages named `folder`, in whichever root package, import themselves and the standard library."""

    type_name = "only_standard_library"
    folder: str = fields.StringField()  # type: ignore[assignment]

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Broken by each direct import of anything else."""
        wrong = []
        for module in sorted(graph.modules):
            root, *rest = module.split(".")
            if rest[:1] != [self.folder] or graph.is_module_squashed(module):
                continue
            own = f"{root}.{self.folder}"
            for imported in sorted(graph.find_modules_directly_imported_by(module)):
                if imported == own or imported.startswith(f"{own}."):
                    continue
                if imported.split(".")[0] not in sys.stdlib_module_names:
                    wrong += graph.get_import_details(importer=module, imported=imported)
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """One line per import."""
        _render(check)


class OnlyImporters(Contract):
    """An external package is imported directly by these modules (and what lies in them) alone."""

    type_name = "only_importers"
    package: str = fields.StringField()  # type: ignore[assignment]
    importers: list[str] = fields.ListField(subfield=fields.StringField())  # type: ignore[assignment]

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Broken by each direct import from elsewhere."""
        wrong = []
        found = [module for module in graph.modules if module.split(".")[0] == self.package]
        for imported in sorted(found):
            for module in sorted(graph.find_modules_that_directly_import(imported)):
                if not any(module == known or module.startswith(f"{known}.") for known in self.importers):
                    wrong += graph.get_import_details(importer=module, imported=imported)
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """One line per import."""
        _render(check)


def _render(check: ContractCheck) -> None:
    for found in check.metadata["wrong"]:
        output.print_error(f"{found['importer']} imports {found['imported']} (line {found['line_number']})", bold=False)
