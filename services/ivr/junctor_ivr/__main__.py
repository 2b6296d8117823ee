"""`python -m junctor_ivr`."""

from junctor_service.run import main

from junctor_ivr.bootstrap import bind
from junctor_ivr.settings import IvrSettings

if __name__ == "__main__":
    main("ivr", IvrSettings, bind)
