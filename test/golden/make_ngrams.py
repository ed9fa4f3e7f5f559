"""Make ngrams.json: what other programs say of n-gram models with Kneser-Ney smoothing.

    python3 test/golden/make_ngrams.py

Two second opinions on src/analysis/kneser-ney.ts:

- NLTK's KneserNeyInterpolated. It has one discount for all counts and orders, and takes nothing
  from unigrams.
- ModifiedKneserNey below: Chen & Goodman (1998) in the plainest form, over dictionaries of
  strings; discounts estimated, unigrams interpolated with the uniform distribution.

In both the text has one symbol before it that is never predicted.
"""
import json
import math
from collections import Counter, defaultdict
from pathlib import Path

import nltk
from nltk.lm import KneserNeyInterpolated

FOLDER = Path(__file__).parent
CORPORA = FOLDER.parent.parent / "corpora"
START = "\0"  # is in none of the texts
UNKNOWN = "\1"


def read(name):
    return (CORPORA / name).read_text(encoding="utf-8")


def short(value):
    """Twelve significant digits."""
    return float(f"{value:.12g}")


def nltk_case(name, training, evaluated, order, discount):
    """Probability of each symbol of a part of the text but its first, the context growing from its start."""
    text = read(name)
    model = KneserNeyInterpolated(order, discount=discount)
    padded = START + text[: training]
    grams = [
        tuple(padded[i : i + n])
        for n in range(1, order + 1)
        for i in range(len(padded) - n + 1)
    ]
    model.fit([grams], sorted(set(padded)))
    part = text[evaluated[0] : evaluated[1]]
    assert set(part) <= set(padded)
    probabilities = [
        model.score(part[i], tuple(part[max(0, i - order + 1) : i])) for i in range(1, len(part))
    ]
    return {
        "text": name,
        "training": training,
        "evaluated": evaluated,
        "order": order,
        "discount": discount,
        "probabilities": [short(p) for p in probabilities],
    }


class ModifiedKneserNey:
    def __init__(self, text, order):
        self.order, self.size = order, len(set(text)) + 1  # with the unknown symbol
        padded = START + text
        self.counts = {}
        for n in range(1, order + 1):
            if n == order:
                grams = Counter(padded[i : i + n] for i in range(len(padded) - n + 1))
            else:
                before = defaultdict(set)
                for i in range(1, len(padded) - n + 1):
                    before[padded[i : i + n]].add(padded[i - 1])
                grams = Counter({gram: len(symbols) for gram, symbols in before.items()})
                if n > 1 and n <= len(padded):
                    grams[padded[:n]] = 1
            grams.pop(START, None)
            self.counts[n] = grams
        self.discounts = {n: self.estimate(n) for n in self.counts}
        self.followers = {n: defaultdict(dict) for n in self.counts}
        for n, grams in self.counts.items():
            for gram, count in grams.items():
                self.followers[n][gram[:-1]][gram[-1]] = count

    def estimate(self, n):
        of = Counter(self.counts[n].values())
        try:
            y = of[1] / (of[1] + 2 * of[2])
            found = [j - (j + 1) * y * of[j + 1] / of[j] for j in (1, 2, 3)]
        except ZeroDivisionError:
            return [0.5, 1, 1.5]
        return found if all(0 < d <= j for j, d in enumerate(found, 1)) else [0.5, 1, 1.5]

    def probability(self, symbol, context):
        followers = self.followers[len(context) + 1].get(context)
        shorter = self.probability(symbol, context[1:]) if context else 1 / self.size
        if not followers:
            return shorter
        total = sum(followers.values())
        discount = lambda count: self.discounts[len(context) + 1][min(count, 3) - 1]
        count = followers.get(symbol, 0)
        left = count - discount(count) if count else 0
        return left / total + sum(map(discount, followers.values())) / total * shorter


def modified_case(name, training, evaluated, order):
    text = read(name)
    model = ModifiedKneserNey(text[:training], order)
    known = set(text[:training])
    part = "".join(c if c in known else UNKNOWN for c in text[evaluated[0] : evaluated[1]])
    nats = [
        -math.log(model.probability(part[i], part[max(0, i - order + 1) : i]))
        for i in range(1, len(part))
    ]
    return {
        "text": name,
        "training": training,
        "evaluated": evaluated,
        "unknown": part.count(UNKNOWN),
        "order": order,
        "discounts": [[short(d) for d in model.discounts[n]] for n in range(1, order + 1)],
        "crossEntropy": short(sum(nats) / len(nats)),
        "greatest": short(max(nats)),
    }


PLAY, LETTERS = "lighthouse.txt", "mountain-letters.zh-TW.txt"
goldens = {
    "nltk": {
        "version": nltk.__version__,
        "cases": [
            nltk_case(PLAY, 2000, [2000, 2100], order, discount)
            for order, discount in [(2, 0.1), (3, 0.75), (5, 0.9)]
        ]
        + [nltk_case(PLAY, 2000, [0, 40], 4, 0.6)],
    },
    "modified": [modified_case(PLAY, 40000, [50000, 53000], order) for order in (1, 2, 3, 5, 8)]
    + [modified_case(PLAY, 40000, [0, 500], 6)]  # the start of the training text itself
    + [modified_case(LETTERS, 8000, [8000, 9000], order) for order in (1, 2, 4, 7)]
    + [modified_case(PLAY, length, [100, 200], 4) for length in (1, 2, 3, 30)],
}
(FOLDER / "ngrams.json").write_text(json.dumps(goldens, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
