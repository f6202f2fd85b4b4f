"""Same input and configuration, same bytes: over workers and orders. Over kills: tests/faults."""


def test_workers_and_input_order_do_not_change_a_byte(finished, run_on_web, sums, tmp_path):
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    other = run_on_web(tmp_path, flags=flags, reverse=True)
    first = sums(finished / "shards")
    assert len([name for name in first if name.endswith(".tar")]) == 9  # three corpora, two train shards and a val
    assert sums(other / "shards") == first
    for table in ("documents", "pairs", "clusters", "kept", "scores"):
        assert sums(other / table) == sums(finished / table), table
