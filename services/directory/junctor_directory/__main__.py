"""`python -m junctor_directory` runs the directory."""

from junctor_service.run import main

from junctor_directory.bootstrap import bind
from junctor_directory.settings import DirectorySettings

if __name__ == "__main__":
    main("directory", DirectorySettings, bind)
