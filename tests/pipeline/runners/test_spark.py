"""What Spark gets where the user is silent."""

from weft.pipeline.runners import beam_options, spark


def test_spark_gets_what_weft_needs_where_the_user_is_silent():
    def level(*flags: str) -> list[str]:
        made = beam_options.options(flags, 1).get_all_options(retain_unknown_options=True)
        return [str(made["storage_level"]), str(made["environment_cache_millis"])]

    assert level("--runner=SparkRunner") == ["MEMORY_AND_DISK", "600000"]
    assert level("--runner=PortableRunner", "--storage_level=DISK_ONLY") == ["DISK_ONLY", "600000"]
    assert level("--runner=SparkRunner", "--environment_cache_millis=0") == ["MEMORY_AND_DISK", "0"]
    assert "storage_level" not in beam_options.options((), 1).get_all_options(retain_unknown_options=True)


def test_what_the_user_says_is_not_said_again():
    assert spark.defaults(("--storage_level=DISK_ONLY", "--runner=SparkRunner")) == [
        "--environment_cache_millis=600000"
    ]
    assert {"--storage_level", "--bundle_size"} <= spark.OPTIONS
