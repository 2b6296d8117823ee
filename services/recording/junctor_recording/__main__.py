"""`python -m junctor_recording`."""

from junctor_service.run import main

from junctor_recording.bootstrap import bind
from junctor_recording.settings import RecordingSettings

if __name__ == "__main__":
    main("recording", RecordingSettings, bind)
