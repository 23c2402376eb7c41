from shout import Shout  # type: ignore[import-not-found]

from jobdeck.testing import crash_points, run_job


def test_same_wherever_its_worker_dies(tmp_path):  # type: ignore[no-untyped-def]
    (tmp_path / "a").write_text("one\ntwo\n")
    params = {"source": tmp_path / "a", "into": tmp_path / "b"}
    for crash in crash_points(Shout, params, isolation="thread"):
        run_job(Shout, params, isolation="thread", crashes=[crash])
        assert (tmp_path / "b").read_text() == "ONE\nTWO\n"
