"""python -m junctor_cti"""

from junctor_service.run import main

from junctor_cti.bootstrap import bind
from junctor_cti.settings import CtiSettings

if __name__ == "__main__":
    main("cti", CtiSettings, bind)
