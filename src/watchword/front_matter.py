"""The facts of a shipped model → what a model hub reads of its card.

In come facts and the test report, out goes YAML between two lines of hyphens. A room because these
keys are not ours to choose: they keep their names whatever becomes of the page below them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from ruamel.yaml import YAML

from watchword import licences

Record = Mapping[str, Any]
ARCHIVE: Final = "as the official test archive weighs it"


def front_matter(facts: Record, test: Record) -> str:
    """Return what a model hub reads of a card: YAML between two lines of hyphens.

    Args:
        facts: The content of ``card.json``.
        test: The report on the test split.

    Source:
        Hugging Face hub, Model Cards, metadata: the keys and the shape of ``model-index``.
    """
    corpora = [licences.corpus_of(corpus["folder"]) for corpus in facts["corpora"]]
    hubs = list(dict.fromkeys(corpus.hub for corpus in corpora if corpus.hub))
    rates = {"accuracy": test["accuracy"]}
    if test["archive_weighted"]:
        rates[f"accuracy {ARCHIVE}"] = test["archive_weighted"]["accuracy"]
    result = {
        "task": {"type": "audio-classification", "name": f"keyword spotting, task {facts['task']}"},
        "dataset": {"type": corpora[0].hub or "audio", "name": corpora[0].title, "split": "test"},
        "metrics": [
            {"type": "accuracy", "name": name, "value": round(value, 4)}
            for name, value in rates.items()
        ],
    }
    tree = {
        "license": facts["licence"].lower(),
        "language": ["en"],
        "library_name": "watchword",
        "pipeline_tag": "audio-classification",
        "tags": ["keyword-spotting", "wake-word", facts["architecture"]],
        "datasets": hubs,
        "metrics": ["accuracy"],
        "model-index": [{"name": facts["name"], "results": [result]}],
    }
    stream, yaml = io.StringIO(), YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed as None only
    yaml.dump(tree, stream)
    return f"---\n{stream.getvalue()}---\n\n"
