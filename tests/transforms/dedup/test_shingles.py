"""Words and shingle hashes: what folds, what counts, and that nothing but a text's own words decides its hashes."""

import itertools
import string

import numpy as np
import pytest
from datasketch import MinHash

from weft.schemas.parameters import Similarity
from weft.schemas.records import hash_bucket, hash_unit
from weft.transforms.dedup import minhash, shingles
from weft.transforms.dedup.shingles import BATCH_BYTES, normalise

POOL = [
    "",
    " .,;!… — ",
    "one",
    "one two three",
    "one two three four five",
    " ".join(f"w{hash_bucket(str(i), 500)}" for i in range(400)),
    " ".join(f"long{hash_bucket(str(i), 9_000)}" for i in range(16_000)),  # about 140 KB
    "x" * 200_000,
    "a few words " + "0123456789abcdef" * 12_500 + " and some more of them after it",
    "日本語、テスト。" * 50,
    "Über 3 Straßen — caf\u0065\u0301 №5, “Don’t”…",
    "lone \ud800 surrogates \udfff in a text of words",
    "\U0001f600 \U00020000 outside the basic plane",
    "y" * BATCH_BYTES,
    "z" * (BATCH_BYTES + 1),
    "a b" * (BATCH_BYTES // 3),
]


def one(text: str, scheme: Similarity) -> list[int]:
    return shingles.shingles([normalise(text)], scheme)[0].tolist()


def in_batch(texts: list[str], scheme: Similarity) -> list[list[int]]:
    hashed, counts = shingles.shingles([normalise(text) for text in texts], scheme)
    assert len(hashed) == counts.sum() and len(counts) == len(texts)
    return [part.tolist() for part in np.split(hashed, np.cumsum(counts))[:-1]]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Hello, World!", "hello world"),
        ("“Don’t” — she said…", "Don't  she\nsaid"),
        ("\ufb01ne \uff21\uff22\uff23", "fine abc"),  # compatibility forms
        ("a\u00a0b", "a b"),
        ("caf\u0065\u0301", "café"),
        ("日本語、テスト。", "日 本 語 テ ス ト"),
    ],
)
def test_words_fold_what_does_not_matter(first: str, second: str) -> None:
    assert shingles.words(first) == shingles.words(second) != []


def test_words_keep_what_matters() -> None:
    assert shingles.words("Über 3 Straßen, 40%") == ["über".encode(), b"3", "straßen".encode(), b"40"]
    assert shingles.words(" .,;!… — ") == []
    assert shingles.words("ascii only") == shingles.words("ascii only\u2009")
    assert shingles.words("\ud800") == ["\ud800".encode("utf-8", "surrogatepass")]


@pytest.mark.parametrize("scheme", [Similarity(), Similarity(ngram=1), Similarity("char", 8)], ids=str)
def test_hashes_do_not_depend_on_the_batch(scheme: Similarity) -> None:
    alone = {text: one(text, scheme) for text in POOL}
    for number in range(12):
        batch = [POOL[hash_bucket(f"{number}/{i}", len(POOL), "pool")] for i in range(hash_bucket(str(number), 20))]
        assert in_batch(batch, scheme) == [alone[text] for text in batch]
    shuffled = sorted(POOL * 2, key=lambda text: hash_unit(text[:40], f"order{len(text)}"))
    assert in_batch(shuffled, scheme) == [alone[text] for text in shuffled]


def test_many_short_texts_make_several_batches() -> None:
    texts = ["", "one two", " ", "three"] * 30_000
    assert len(list(shingles.batches([normalise(text) for text in texts]))) > 3
    found = in_batch(texts, Similarity())
    assert all(found[i] == found[i % 4] for i in range(len(texts)))
    assert found[:4] == [[], one("one two", Similarity()), [], one("three", Similarity())]


@pytest.mark.parametrize("size", [BATCH_BYTES - 1, BATCH_BYTES, BATCH_BYTES + 1, 3 * BATCH_BYTES + 5])
def test_a_word_has_the_same_hash_wherever_it_stands(size: int) -> None:
    tokens = [f"w{hash_bucket(str(i), 700)}" for i in range(size // 4)]
    text = " ".join(tokens)[:size]
    hashed, sizes = shingles.tokens([text.encode()])
    assert sizes.tolist() == [len(text.split())]
    words = sorted(set(text.split()))
    alone = dict(zip(words, shingles.tokens([word.encode() for word in words])[0].tolist(), strict=True))
    assert hashed.tolist() == [alone[word] for word in text.split()]


@pytest.mark.parametrize("ngram", [1, 2, 5, 13])
def test_a_shingle_is_a_run_of_n_words_and_a_shorter_text_is_one(ngram: int) -> None:
    tokens = [f"w{hash_bucket(str(i), 50)}" for i in range(60)]
    runs = [" ".join(tokens[i : i + ngram]) for i in range(60 - ngram + 1)]
    whole, *alone = in_batch([" ".join(tokens), *runs], Similarity(ngram=ngram))
    assert [[hashed] for hashed in whole] == alone
    for count in range(1, ngram):
        assert len(one(" ".join(tokens[:count]), Similarity(ngram=ngram))) == 1


def test_shingles_depend_on_order_and_number() -> None:
    assert len(one("a b c d e f", Similarity())) == 2
    assert len(set(one("a " * 9, Similarity()))) == 1
    assert one("a b", Similarity()) != one("b a", Similarity())
    assert one("ab c", Similarity()) != one("a bc", Similarity()) != one("abc", Similarity())
    assert one("a b c", Similarity()) != one("a b c d", Similarity())
    assert one("", Similarity()) == []
    orders = {tuple(one(" ".join(words), Similarity())) for words in itertools.permutations("abcde")}
    assert len(orders) == 120


def test_hashes_of_all_words_of_four_letters_collide_no_more_than_chance() -> None:
    text = [" ".join(map("".join, itertools.product(string.ascii_lowercase, repeat=4))).encode()]
    count = 26**4
    hashed, sizes = shingles.tokens(text)
    assert sizes.tolist() == [count]
    assert len(np.unique(hashed)) == count
    short, _ = shingles.shingles(text, Similarity(ngram=1))
    assert len(np.unique(short)) > count - 50  # 24 pairs of 32 bits meet by chance


def test_hashes_of_pairs_of_words_collide_no_more_than_chance() -> None:
    words = list(map("".join, itertools.product(string.ascii_lowercase, repeat=2)))
    text = [" ".join(f"{a} {b}" for a in words for b in words).encode()]
    found, _ = shingles.shingles(text, Similarity(ngram=2))
    pairs = found[::2]
    assert len(pairs) == 26**4
    assert len(np.unique(pairs)) > len(pairs) - 50


def test_characters_are_units_of_the_normalised_text() -> None:
    scheme = Similarity("char", 3)
    assert one("abcd", scheme) == one("abc", scheme) + one("bcd", scheme)
    assert one("A,  b!c", scheme) == one("a b c", scheme)
    assert len(one("a b c", scheme)) == 3
    assert len(one("ü\U0001f600é\U00020000", scheme)) == 2
    assert len(one("a", scheme)) == len(one("ab", scheme)) == 1
    assert one("a", scheme) != one("ab", scheme)
    assert one("... ", scheme) == []
    assert one("abc", scheme) != one("acb", scheme)
    everything = "".join(map("".join, itertools.product(string.ascii_lowercase, repeat=3)))
    assert len(set(one(everything, scheme))) == 26**3


def test_hashes_and_signatures_are_the_same_for_ever() -> None:
    """A sketch on disk may be compared with one made by a later version: these bytes must not change."""
    fox = "The quick brown fox jumps over the lazy dog"
    assert one("a b c d e f", Similarity()) == [2342068189, 3995158615]
    signed = minhash.sign([fox, "日本語、テスト。 é"], Similarity(permutations=2))
    assert [value.hex() for value in signed] == ["fd46e805ff9dbe07", "8083546227395e30"]
    assert minhash.sign([fox], Similarity("char", 24, permutations=2))[0].hex() == "1dc44802348ef209"


@pytest.mark.parametrize(("unit", "ngram"), [("word", 5), ("word", 1), ("char", 24), ("char", 3)])
def test_datasketch_signatures_are_datasketchs_own(unit: str, ngram: int) -> None:
    texts = [POOL[4], POOL[5], "", POOL[9], POOL[3], POOL[10], POOL[11], POOL[12], POOL[5] * 3]
    signed = minhash.sign(texts, Similarity(unit, ngram, "datasketch", 64))
    for text, ours in zip(texts, signed, strict=True):
        if not text:
            assert ours == b""
            continue
        words = [word.decode("utf-8", "surrogatepass") for word in shingles.words(text)]
        units, joint = (words, " ") if unit == "word" else (list(" ".join(words)), "")
        runs = [joint.join(units[i : i + ngram]) for i in range(max(len(units) - ngram + 1, 1))]
        theirs = MinHash(num_perm=64, seed=minhash.SEED, scheme="affine32")
        theirs.update_batch([run.encode("utf-8", "surrogatepass") for run in runs])
        assert np.array_equal(np.frombuffer(ours, "<u4"), theirs.hashvalues)


@pytest.mark.parametrize("giant", ["x" * 400_000, "a few words " + "0f" * 100_000])
def test_datasketch_hashes_of_a_giant_word_leave_its_neighbours_alone(giant: str) -> None:
    scheme = Similarity(hasher="datasketch")
    assert in_batch([giant, POOL[5]], scheme)[1] == one(POOL[5], scheme)
