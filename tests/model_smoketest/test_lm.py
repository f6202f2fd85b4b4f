"""The model as a language model: likelihoods and sentences against the plain forward pass."""

import math

import pytest
import torch

from weft.model_smoketest import lm as speaking
from weft.model_smoketest.train import build
from weft.model_smoketest.vision import StemCache
from weft.model_smoketest.words import Words


@pytest.fixture(scope="module")
def lm(kit):
    model = build(kit.config(width=16, ffn=32), kit.vocabulary)[0]
    with torch.no_grad():
        model.embedding.weight.mul_(4)  # sure enough of itself that the best token is clear
    return speaking.LanguageModel(model, Words(str(kit.shards), kit.vocabulary))


@torch.no_grad()
def log_chances(lm, ids, images):
    """(T, vocabulary) of the plain forward pass."""
    seen = lm.model.see(StemCache(lm.model.tower)(images)) if images else None
    row = torch.tensor([ids])
    slots = torch.tensor(speaking.contract.image_slots(row[0].numpy(), lm.vocabulary))
    hidden = lm.model.hidden(row, torch.zeros(len(images), dtype=torch.int64), slots, seen)[0]
    return lm.model.logits(hidden)


def likely(lm, ids, images):
    """Nats of each token that may come next, those that are never said left out of the count."""
    scores = log_chances(lm, ids, images)[-1]
    scores[[lm.vocabulary.bos, lm.vocabulary.pad, lm.vocabulary.image, lm.vocabulary.image_end]] = -torch.inf
    return {token: nats for token, nats in enumerate(torch.log_softmax(scores, 0).tolist()) if nats > -math.inf}


def test_likelihood_is_the_sum_of_the_continuations_tokens(kit, lm):
    prompt = ["a red", kit.picture(1), "circle on"]
    one, closed = lm.loglikelihood([(prompt, " a blue")]) + lm.loglikelihood([(prompt, " a blue")], ends=True)
    ids, images = lm.encode([*prompt[:2], "circle on a blue"])
    table = torch.log_softmax(log_chances(lm, ids, images), 1)
    want = sum(float(table[t - 1, ids[t]]) for t in (-2, -1))
    assert one.tokens == 2 and one.total == pytest.approx(want, abs=1e-4) and one.mean == pytest.approx(want / 2)
    assert closed.tokens == 3
    assert closed.total == pytest.approx(want + float(table[-1, lm.vocabulary.eos]), abs=1e-4)


def test_a_token_of_both_prompt_and_continuation_is_of_the_continuation(lm):
    """ "circle" and "s" are one token together: were it the prompt's, nothing would be left to be judged."""
    for prompt, continuation, tokens in ((["a red circle"], "s", 1), (["a red circle"], "s on", 2), (["a red"], "", 0)):
        (found,) = lm.loglikelihood([(prompt, continuation)])
        assert found.tokens == tokens and (found.total < 0) == bool(tokens)


def test_likelihoods_keep_their_order_and_know_their_image(kit, lm):
    requests = [([kit.picture(i)], text) for i in (1, 2) for text in ("a red circle", "a blue square on a green", "a")]
    together = lm.loglikelihood(requests)
    assert [one.tokens for one in together] == [3, 6, 1] * 2
    for request, one in zip(requests, together, strict=True):
        assert lm.loglikelihood([request])[0].total == pytest.approx(one.total, abs=1e-4)
    assert together[0].total != together[3].total
    assert lm.loglikelihood([([], "a red")])[0].tokens == 2


def test_greedy_says_the_likeliest_token_each_time(kit, lm):
    prompts = [["a red"], [kit.picture(3), "a"], [kit.picture(4), "a"], ["a red circle on a"]]
    said = lm.generate_until(prompts, most=6)
    for prompt, text in zip(prompts, said, strict=True):
        ids, images = lm.encode(prompt)
        tokens = []
        for _ in range(6):
            scores = log_chances(lm, [*ids, *tokens], images)[-1]
            scores[[lm.vocabulary.bos, lm.vocabulary.pad, lm.vocabulary.image, lm.vocabulary.image_end]] = -torch.inf
            if (token := int(scores.argmax())) == lm.vocabulary.eos:
                break
            tokens.append(token)
        assert text == lm.words.decode(tokens)
    assert any(said)


def test_a_stop_is_left_off_and_ends_one_text_alone(lm):
    first, second = lm.generate_until([["a red"], ["a blue"]], most=5)
    stop = first.split()[2]
    cut = lm.generate_until([["a red"], ["a blue"]], until=[stop], most=5)
    assert cut == [first.partition(stop)[0], second.partition(stop)[0]] and cut[0] != first


def test_beams_find_the_best_of_all_texts(kit, lm):
    """Two tokens at most, as many beams as tokens: the search is exhaustive."""
    prompt = [kit.picture(5), "a"]
    ids, images = lm.encode(prompt)
    eos = lm.vocabulary.eos
    table = likely(lm, ids, images)
    judged = {(): table.pop(eos)}
    for first in sorted(table, key=table.get)[-8:]:  # the others cannot win
        for second, nats in likely(lm, [*ids, first], images).items():
            judged[(first,) if second == eos else (first, second)] = (table[first] + nats) / 2
    want = max(judged, key=judged.get)
    assert lm.generate_until([prompt], most=2, beams=lm.vocabulary.size)[0] == lm.words.decode(want)


def test_beams_of_one_prompt_do_not_meet_those_of_another(kit, lm):
    prompts = [[kit.picture(i), "a"] for i in range(4)]
    together = lm.generate_until(prompts, most=5, beams=3)
    assert together == [lm.generate_until([prompt], most=5, beams=3)[0] for prompt in prompts]
    means = [one.mean for one in lm.loglikelihood(list(zip(prompts, [f" {t}" for t in together], strict=True)))]
    greedy = lm.generate_until(prompts, most=5)
    assert sum(means) >= sum(
        o.mean for o in lm.loglikelihood(list(zip(prompts, [f" {t}" for t in greedy], strict=True)))
    )


def test_draws_are_of_their_seed_and_of_the_likeliest(lm):
    prompts = [["a red"], ["a blue on"], ["a red"]]
    one = lm.generate_until(prompts, most=4, temperature=9.0, seed=3)
    assert one == lm.generate_until(prompts, most=4, temperature=9.0, seed=3)
    assert one[:1] == lm.generate_until(prompts[:1], most=4, temperature=9.0, seed=3)
    assert one != lm.generate_until(prompts, most=4, temperature=9.0, seed=4)
    greedy = lm.generate_until(prompts, most=4)
    assert lm.generate_until(prompts, most=4, temperature=1.0, top_p=1e-6) == greedy
    assert lm.generate_until(prompts, most=4, temperature=1e-4) == greedy
    chances = torch.tensor([[0.5, 0.3, 0.2]])
    assert (speaking._nucleus(chances, 0.6)[0] > 0).tolist() == [True, True, False]
    assert math.isclose(float(speaking._nucleus(chances, 1.0).sum()), 1.0, rel_tol=1e-6)
