"""python -m junctor_gateway"""

from junctor_service.run import main

from junctor_gateway.bootstrap import bind
from junctor_gateway.settings import GatewaySettings

if __name__ == "__main__":
    main("gateway", GatewaySettings, bind)
