"""`python -m junctor_router` runs the router."""

from junctor_service.run import main

from junctor_router.bootstrap import bind
from junctor_router.settings import RouterSettings

if __name__ == "__main__":
    main("router", RouterSettings, bind)
