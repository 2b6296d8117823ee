#!/bin/sh
# Takes from an environment ($1) what no program reads: C sources, stubs, installers' leftovers, what is there twice.
set -eu
packages=$(echo "$1"/lib/python3*/site-packages)
find "$packages" \( -name '*.c' -o -name '*.h' -o -name '*.cpp' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' \) -delete
find "$packages" -type d \( -name tests -o -name testing -path '*sqlalchemy*' \) -prune -exec rm -rf {} +
# The client of Kubernetes once more, for asyncio: nothing here imports it.
rm -rf "$packages"/kubernetes/aio
rm -f "$1"/bin/activate* "$1"/bin/Activate*
