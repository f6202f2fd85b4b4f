"""The strict configuration: layers, overrides, and errors that name the mend."""

import dataclasses

import pytest

import weft.schemas.config as configuration
from weft.schemas.parameters import ConfigError
from weft.schemas.records import digest


def test_layers_defaults_recipe_file_overrides(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('recipe = "raw"\n[pack]\nmax_images = 7\nshards = 3\n')
    config = configuration.load(str(file), ["pack.shards=9"])
    assert config.recipe == "raw"
    assert config.extract.languages == ()  # from the recipe
    assert (config.pack.max_images, config.pack.shards) == (7, 9)
    assert config.pack.context_length == 2048  # untouched default


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("pack.max_imags=3", "did you mean 'max_images'"),
        ("pakc.max_images=3", "did you mean 'pack'"),
        ("min_words=3", "unknown key 'min_words' (did you mean 'extract.min_words'?)"),
        ("min_wrds=3", "did you mean 'extract.min_words'"),
        ("pack.min_words=3", "did you mean 'extract.min_words'"),
        ("max_side=3", "did you mean 'fetch.max_side' or 'pack.max_side'"),
        ("pack.max_images=many", "pack.max_images is an int"),
        ("pack.max_images=true", "pack.max_images is an int"),
        ("dedup.keep=best", "'newest', 'oldest', 'longest'"),
        ("dedup.keep=newst", "(did you mean 'newest'?)"),
        ("extract.pii_kinds=['email', 'emial']", "each of extract.pii_kinds is one of 'email', 'iban'"),
        ("extract.opt_out=['noia']", "not 'noia' (did you mean 'noai'?)"),
        ("extract.languages=en", "list of strings"),
        ("pack=3", "is a section"),
        ("pack.shards", "section.key=value"),
        ("recipe=kosmos", "did you mean 'kosmos1'"),
        ("recipe=['raw']", "no recipe ['raw']"),
        ("recipe={a=1}", "no recipe {'a': 1}"),
        ("recipe.x=raw", "recipe is a str, not {'x': 'raw'}"),
        ("pack.shards=3\nrecipe='raw'", "--set takes one section.key=value"),
        ("extract.min_words=" + "9" * 5_000, "--set extract.min_words: Exceeds the limit"),
        ("extract.min_words=0x1" + "0" * 5_000, "extract.min_words is a number of 20001 bits: 64 at most"),
        ("train.learning_rate=1" + "0" * 400, "train.learning_rate is a number of 1329 bits"),
        ("train.learning_rate=1e999", "out of its range"),
        ("salt=" + "[" * 50_000, "--set salt: "),
        ("pack.pair_min_similarity_by_language=0.3", "is a table: write [pack.pair_min_similarity_by_language]"),
        ("pack.pair_min_similarity_by_language.en=high", "pack.pair_min_similarity_by_language.en is a float"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(override, told):
    with pytest.raises(ConfigError) as caught:
        configuration.load(overrides=[override])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_and_broken_files(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        configuration.load(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("[pack\n")
    with pytest.raises(ConfigError, match="not TOML"):
        configuration.load(str(tmp_path / "bad.toml"))
    for text in ("salt = " + "[" * 50_000, "a = " + "9" * 5_000):
        (tmp_path / "bad.toml").write_text(text)
        with pytest.raises(ConfigError, match="not TOML"):
            configuration.load(str(tmp_path / "bad.toml"))
    for name in ("['raw']", "{x = 'raw'}", "3"):
        (tmp_path / "bad.toml").write_text(f"recipe = {name}")
        with pytest.raises(ConfigError, match="no recipe "):
            configuration.load(str(tmp_path / "bad.toml"))


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path):
    (tmp_path / "c.toml").write_bytes(b"\xef\xbb\xbfsalt = 'x'\r\n")
    assert configuration.load(str(tmp_path / "c.toml")).salt == "x"


@pytest.mark.parametrize("name", ["raw", "kosmos1", "nonsense"])
def test_a_recipes_name_is_not_set_without_its_values(name):
    with pytest.raises(ConfigError, match="use --recipe"):
        configuration.from_dict(configuration.to_dict(configuration.Config()), [f"recipe={name}"])


def test_every_recipe_loads_and_survives_json():
    for name in configuration.recipes():
        config = configuration.load(recipe=name)
        assert configuration.from_dict(configuration.to_dict(config)) == config


def test_a_key_that_another_version_had_is_not_laid_to_the_user():
    values = configuration.to_dict(configuration.Config())
    values["fetch"]["gone"] = True
    with pytest.raises(ConfigError, match=r"unknown key 'fetch\.gone'.*: another version of weft made this output"):
        configuration.from_dict(values, ["pack.min_side=100"])
    values["fetch"].pop("gone")
    with pytest.raises(ConfigError, match=r"^unknown key 'pack\.min_sid' \(did you mean 'min_side'\?\)$"):
        configuration.from_dict(values, ["pack.min_sid=100"])


def test_a_table_has_whatever_names_the_user_gives(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[pack.pair_min_similarity_by_language]\nen = 0.28\nde = 1\n")
    config = configuration.load(str(file), ["pack.pair_min_similarity_by_language.de=0.26"])
    assert config.pack.pair_min_similarity_by_language == {"en": 0.28, "de": 0.26}
    again = configuration.from_dict(
        configuration.to_dict(config), ["pack.pair_min_similarity_by_language.fr=0.2", "pack.shards=2"]
    )
    assert again.pack.pair_min_similarity_by_language == {"en": 0.28, "de": 0.26, "fr": 0.2}
    assert digest(config.pack) != digest(again.pack)
    assert hash(config) == hash(configuration.load(str(file), ["pack.pair_min_similarity_by_language.de=0.26"]))


def test_a_table_replaces_the_recipes_and_a_single_name_is_added(tmp_path):
    def models(*overrides, path=None):
        return dict(configuration.load(path, overrides, "fineweb-edu").extract.quality_models)

    assert models() == {"edu": ""}
    assert models('extract.quality_models={mine="m.bin"}') == {"mine": "m.bin"}
    assert models("extract.quality_models={}") == models("extract={quality_models={}}") == {}
    assert models('extract.quality_models.edu="e.bin"', 'extract.quality_models.mine="m.bin"') == {
        "edu": "e.bin", "mine": "m.bin"
    }  # fmt: skip
    file = tmp_path / "c.toml"
    file.write_text('recipe = "fineweb-edu"\n[extract]\nmin_words = 7\nquality_models = { mine = "m.bin" }\n')
    assert models(path=str(file)) == {"mine": "m.bin"}
    assert models("extract.quality_models={}", path=str(file)) == {}
    config = configuration.load(str(file))
    assert config.extract.min_words == 7 and config.extract.fineweb_quality  # of a section the other keys stay
    emptied = configuration.from_dict(configuration.to_dict(config), ["extract.quality_models={}"])
    assert not emptied.extract.quality_models and emptied.extract.min_words == 7


def test_kosmos1_holds_the_papers_rules():
    config = configuration.load(recipe="kosmos1")
    assert config.extract.languages == ("en",)
    assert (config.pack.min_side, config.pack.max_images, config.pack.one_image_drop) == (64, 5, 0.5)
    assert config.pack.drop_single_colour and config.pack.require_interspersed
    assert (config.pack.pair_min_side, config.pack.image_tokens, config.pack.context_length) == (200, 64, 2048)


def test_digest_changes_exactly_when_a_value_does():
    config = configuration.load()
    assert digest(config.pack) == digest(configuration.load().pack)
    assert digest(config.pack) != digest(dataclasses.replace(config.pack, shards=5))
