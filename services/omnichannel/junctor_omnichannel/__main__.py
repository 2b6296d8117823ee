"""`python -m junctor_omnichannel` runs omnichannel."""

from junctor_service.run import main

from junctor_omnichannel.bootstrap import bind
from junctor_omnichannel.settings import OmnichannelSettings

if __name__ == "__main__":
    main("omnichannel", OmnichannelSettings, bind)
