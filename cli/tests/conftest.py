"""The command line's tests share one broker per process."""

from junctor_testkit.local_kafka import kafka

__all__ = ["kafka"]
