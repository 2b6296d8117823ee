from pathlib import Path

from junctor_local.mirror_progress import MirrorProgress

BEGINS = "INFO MirrorSourceTask - task-thread-MirrorSourceConnector-0 replicating 98 topic-partitions a->b\n"
ENDS = "INFO org.apache.kafka.connect.mirror.MirrorSourceTask - Stopping task-thread-MirrorSourceConnector-0 took 603 ms.\n"


def test_a_task_that_ended_copies_no_more_until_it_begins_again(tmp_path: Path) -> None:
    log = tmp_path / "mirror.log"
    log.write_text(BEGINS)
    progress = MirrorProgress(log)
    assert not progress.look() and not progress.began  # an earlier life's

    def written(text: str) -> bool:
        with log.open("a") as file:
            file.write(text)
        return progress.look()

    assert not written("WARN waits for a broker\n" + BEGINS[:40])
    assert written(BEGINS[40:])
    assert written("WARN something else\n" * 3_000)
    assert not written(ENDS)
    assert not written("WARN away\n")
    assert written(BEGINS + ENDS + BEGINS)
    assert progress.began


def test_without_a_log_nothing_copies(tmp_path: Path) -> None:
    assert not MirrorProgress(tmp_path / "none").look()
