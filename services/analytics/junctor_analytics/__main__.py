"""python -m junctor_analytics"""

from junctor_service.run import main

from junctor_analytics.bootstrap import bind
from junctor_analytics.settings import AnalyticsSettings

if __name__ == "__main__":
    main("analytics", AnalyticsSettings, bind)
