"""Run folders as training and evaluation leave them, made in a moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import bundles
from watchword import build, checkpoint
from watchword.checkpoint import Checkpoint
from watchword.config import CorpusSettings, DataSettings, ModelSettings, Settings
from watchword.report import build_report
from watchword.scores import Scores, save
from watchword.words import COMMANDS, SILENCE, UNKNOWN

LABELS = (*COMMANDS, UNKNOWN, SILENCE)
SPEECH, IMAGES = "speech-commands", "speech-commands-mel"
COMMAND = "train.py --config_env /home/alice/env.yml --data=/srv/speech-commands seed=0"


def corpora(*folders: str) -> DataSettings:
    """Corpora by folder; what is called mel is rebuilt."""
    return DataSettings(
        corpora=tuple(CorpusSettings(folder=f, is_rebuilt="mel" in f) for f in folders)
    )


def answered(split: str, wrong: int) -> Scores:
    """Ten clips of each class of task 12, some of the first class taken for the second; 20 words
    that training never heard, half of them taken for ``yes``."""
    targets = np.append(np.repeat(np.arange(12), 10), np.full(20, 10))
    given = targets.copy()
    given[:wrong] = 1
    given[-10:] = 0
    words = [*np.array([*COMMANDS, "bed", SILENCE])[targets[:120]], *["house"] * 20]
    return Scores(
        task="12",
        split=split,
        labels=LABELS,
        names=np.array([f"{word}/{i}.wav" for i, word in enumerate(words)]),
        words=np.array(words),
        speakers=np.array([f"s{i % 8}" for i in range(140)]),
        corpora=np.array([SPEECH] * 140),
        parts=np.array(["task"] * 120 + ["held-out"] * 20),
        dropped=np.zeros(140, bool),
        heard=np.array([True] * 120 + [False] * 20),
        targets=targets,
        logits=5.0 * np.eye(12)[given],
    )


def finished_run(
    folder: Path, seed: int = 0, valid_wrong: int = 0, test_wrong: int = 0, **changes: Any
) -> Path:
    """A run with random weights, two reports and a log; ``changes`` are settings."""
    plain: dict[str, Any] = {
        "seed": seed,
        "model": ModelSettings(width=0.25),
        "data": corpora(f"/srv/{SPEECH}", f"/srv/{IMAGES}"),
    }
    settings = Settings(**{**plain, **changes})
    run = folder / settings.run_name
    labels = settings.find_task().labels
    torch.manual_seed(seed)
    told = {
        "seed": settings.seed,
        "epoch": 3,
        "commit": "abc",
        "command": COMMAND,
        "watchword": "0.1.0",
        "torch": "2.0",
        "valid_accuracy": 1 - valid_wrong / 120,
        "data": {SPEECH: "f" * 64},
        "epoch_clips": {
            SPEECH: {"yes": 30, "on": 0, UNKNOWN: 10},
            IMAGES: {"yes": 10, "on": 40},
            SILENCE: {SILENCE: 10},
        },
        "rebuilt": [IMAGES],
    }
    weights = build.classifier(settings, len(labels)).state_dict()
    checkpoint.save(Checkpoint(settings, labels, weights, told), run / "best")
    bundles.write(run / "best.watchword", labels=list(labels), provenance=told)
    for split, wrong in (("valid", valid_wrong), ("test", test_wrong)):
        place = run / f"eval-12-{split}"
        scores = answered(split, wrong)
        save(scores, place / "scores.npz")
        report = build_report(scores, provenance={**told, "config": "default"})
        (place / "report.json").write_text(json.dumps(report))
    line = {"epoch": 1, "loss": 1.0, "train_accuracy": 0.5, "valid_accuracy": 0.5}
    rest = {"valid_loss": 1.0, "learning_rate": 0.1}
    (run / "metrics.jsonl").write_text(json.dumps(line | rest) + "\n")
    return run
