"""What is known about a shipped model → its card, a page of Markdown with a front matter.

In come the facts that ``ship`` gathered and the reports of the shipped run, out goes the text: what
the model is for, how good it is and how sure that is, where it is weak, whose audio it heard, and
how to make it again. A room because every sentence is computed from reports and settings: a
card that somebody wrote would outlive what it says.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from watchword import licences, robust_page
from watchword.decision import point_of
from watchword.front_matter import ARCHIVE, front_matter
from watchword.metrics import Rate
from watchword.page import PART_NAMES, code, headline, percent, rate, span, table
from watchword.weaknesses import weaknesses

Record = Mapping[str, Any]
SPLITS: Final = {
    "valid": "Validation (the epoch and the seed were chosen on it)",
    "test": "Open test",
}


def measures(report: Record) -> dict[str, Record]:
    """Return the rates of a report that a card quotes, by what they are over.

    Args:
        report: What ``report.build_report`` returned.
    """
    found: dict[str, Record] = {"all clips": report}
    if report["archive_weighted"]:
        found[ARCHIVE] = report["archive_weighted"]
    found |= {PART_NAMES[name]: part for name, part in report["parts"].items() if part}
    if len(report["corpora"]) > 1:
        found |= {f"corpus {name}": part for name, part in report["corpora"].items()}
    keys = ("accuracy", "interval", "correct", "count")
    return {what: {key: row[key] for key in keys if key in row} for what, row in found.items()}


def _list(lines: Sequence[str]) -> str:
    """Return lines as a list."""
    return "\n".join(f"- {line}" for line in lines)


def markdown(
    facts: Record,
    reports: Mapping[str, Record],
    others: Sequence[Record] = (),
    robust: Record | None = None,
    long: Sequence[Record] = (),
) -> str:
    """Return the card.

    Args:
        facts: What ``ship`` gathered: the content of ``card.json``.
        reports: The reports of the shipped run on ``valid`` and ``test``.
        others: Its reports on other tasks and corpora.
        robust: What ``robust_report.build_record`` found for it, if anybody asked.
        long: What ``long_audio.report.build_report`` found for it in hours of recordings.
    """
    blocks = [
        f"# {facts['name']}",
        _summary(facts),
        _use(facts["name"]),
        "## Results",
        _about_results(facts, is_timed=bool(long)),
        *[block for split in SPLITS for block in _split(split, facts)],
        *_others(others),
        "### Classes",
        _classes(reports),
        *(_robust(robust) if robust else []),
        *[block for record in long for block in _long(record)],
        "## Known weaknesses",
        _list([*facts["notes"], *weaknesses(reports, facts["rebuilt"], robust)]),
        "## Data and licence",
        *_data(facts),
        "## Recipe",
        recipe(facts["settings"]),
        "## Seeds",
        _seeds(facts),
        "## To make it again",
        _again(facts),
    ]
    return front_matter(facts, reports["test"]) + "\n\n".join(blocks) + "\n"


# -------------------------------------------------------------------------------------- what it is


def _summary(facts: Record) -> str:
    seconds = facts["input_samples"] / facts["sample_rate_hz"]
    return (
        f"A keyword spotter for task `{facts['task']}`: `{facts['architecture']}` at width "
        f"{facts['width']:g}, {facts['parameters']:,} parameters, {facts['macs']:,} "
        f"multiply-accumulates for {facts['frames']} frames, the features of {seconds:g} s "
        f"({facts['input_samples']:,} samples) of mono audio at {facts['sample_rate_hz']:,} Hz; "
        f"{facts['bytes']:,} bytes. Its front end is part of it.\n\n"
        f"It answers, in this order: {_words(facts['labels'])}."
    )


def _use(name: str) -> str:
    return (
        "```console\n"
        f"$ watchword spot recording.flac --model {name}   # what it hears; listen: a microphone\n"
        f"$ watchword info {name}   # what it listens for, and from which scores\n"
        f"$ watchword eval {name} --data my_words --split test   # how good it is on your folder\n"
        "```"
    )


# ------------------------------------------------------------------------------------- how good


def _about_results(facts: Record, *, is_timed: bool) -> str:
    seeds = [str(one["seed"]) for one in facts["seeds"]]
    spread = (
        f"the second column is the mean over the {len(seeds)} seeds {', '.join(seeds)} and their "
        "standard deviation"
        if len(seeds) > 1
        else "there is one seed, so that how far another one would be off is not known"
    )
    return (
        "Accuracy with right clips, clips and 95 % interval; the weights here are those of seed "
        f"{facts['provenance'].get('seed')}, and {spread}. "
        + (
            "Rates are of clips of one second; how often the model fires in an hour of sound is "
            "under *In hours of recordings*."
            if is_timed
            else "Rates are of clips of one second: how often the model fires in an hour of sound "
            "was not measured."
        )
    )


def _split(split: str, facts: Record) -> list[str]:
    rows = []
    for what, row in facts["results"][split].items():
        values = [one["results"][split].get(what) for one in facts["seeds"]]
        cells = (what, _rate(row), mean_and_deviation([v for v in values if v is not None]))
        rows.append(cells[: 2 + (len(values) > 1)])
    header = ("over", "these weights", "mean ± deviation")[: 2 + (len(facts["seeds"]) > 1)]
    return [f"### {SPLITS[split]}", table(header, rows)]


def mean_and_deviation(values: Sequence[float]) -> str:
    """Return the mean of fractions and their sample standard deviation as percentages.

    Args:
        values: Fractions, one for each seed.

    Example:
        >>> mean_and_deviation([0.95, 0.96, 0.97])
        '96.0 ± 1.0 %'
    """
    if len(values) < 2:
        return "–"
    return f"{100 * statistics.mean(values):.1f} ± {100 * statistics.stdev(values):.1f} %"


def _rate(row: Record) -> str:
    """Return a rate with its counts, if it has some, and its interval."""
    if "count" in row:
        return rate(row)
    return f"{percent(row['accuracy'])} (95 % {span(row['interval'])})"


def _others(reports: Sequence[Record]) -> list[str]:
    lines = [f"- {headline(report)}" for report in reports]
    return ["### Other tasks and corpora", "\n".join(lines)] if lines else []


def _classes(reports: Mapping[str, Record]) -> str:
    rows = []
    by_split = {
        split: {row["label"]: row for row in reports[split]["per_class"]} for split in SPLITS
    }
    for label in reports["test"]["labels"]:
        cells = [by_split[split].get(label) for split in SPLITS]
        recalls = [
            rate(row, "recall", "recall_interval") if row and row["count"] else "no clips"
            for row in cells
        ]
        rows.append((code(label), *recalls, percent(cells[-1]["precision"] if cells[-1] else None)))
    return table(("class", "recall, validation", "recall, test", "precision, test"), rows)


def _robust(record: Record) -> list[str]:
    """Return accuracy under noise, level, shift and rooms, and silence at every level."""
    notes = "\n".join(f"- {note}" for note in record["notes"])
    counted = zip(robust_page.rows(record), record["conditions"], strict=True)
    spoken = [{**told, "accuracy": rate(row)} for told, row in counted]
    tables = [spoken, robust_page.silence_rows(record)]
    blocks = [table(list(rows[0]), [list(row.values()) for row in rows]) for rows in tables if rows]
    title = f"### By SNR, level, shift and room, {record['split']}"
    return [title, notes, blocks[0], *["### Silence at every level", *blocks[1:]] * len(blocks[1:])]


def _long(record: Record) -> list[str]:
    """Return what was missed and falsely accepted in hours of recordings."""
    where = record["counted_over"]
    rows = []
    for one, point in zip(record["keywords"], record["points"], strict=True):
        missed, latency = one["false_rejects"], one["latency"]
        frr = str(Rate(missed["misses"], missed["events"])) if missed else "never said"
        after = f"{1_000 * latency['median_s']:.0f} ms".replace("-", "−") if latency else "–"
        chosen = f"{point['threshold']:g}, {point_of(point).rule}"
        rows.append([code(one["keyword"]), chosen, frr, one["false_accepts"][where]["text"], after])
    columns = ["keyword", "threshold, reached in", "FRR", "false accepts", "latency"]
    sources = record["hours_by_tag"].get("source", [])
    heard = [f"{row['value']}: {row['text']}" for row in sources]
    mean = record["mean_keyword_false_reject_rate"]
    lines = [
        *([f"mean of the keywords' false reject rates: {percent(mean)}"] if mean else []),
        *[f"false accepts in {line}" for line in heard],
    ]
    title = f"### In hours of recordings: {', '.join(one['keyword'] for one in record['points'])}"
    return [title, record["headline"], *([_list(lines)] if lines else []), table(columns, rows)]


# ------------------------------------------------------------------------------ where it comes from


def _data(facts: Record) -> list[str]:
    rows = []
    for corpus in facts["corpora"]:
        known = licences.corpus_of(corpus["folder"])
        folder = code(corpus["folder"]) + ", rebuilt from mel images" * corpus["is_rebuilt"]
        thanks = f"[{known.title}]({known.place}): {known.credit}"
        clips = "noise" if corpus["is_background"] else f"{corpus['clips']:,}"
        rows.append((folder, clips, known.licence, thanks))
    header = ("corpus", "clips of an epoch", "licence", "made by")
    return [
        f"These weights are {licences.WEIGHTS}: whoever passes them on names the makers below. The "
        f"code that trained and runs them is {licences.CODE}.",
        table(header, rows),
        f"{_rebuilt(facts['rebuilt'])} {_silence(facts)}".rstrip(),
    ]


def _rebuilt(rebuilt: Record) -> str:
    """Return how much of the training audio was rebuilt, in all and by class."""
    if not rebuilt["of"]:
        return "How many clips an epoch hears, and how many of them were rebuilt, is not recorded."
    if not rebuilt["clips"]:
        return f"None of the {rebuilt['of']:,} clips that an epoch hears was rebuilt from features."
    shares = [
        f"{code(label)} {percent(part / whole)}"
        for label, (part, whole) in rebuilt["by_class"].items()
        if whole
    ]
    return (
        f"Of the {rebuilt['of']:,} clips that an epoch hears, {rebuilt['clips']:,} "
        f"({percent(rebuilt['clips'] / rebuilt['of'])}) were rebuilt from mel images, with nothing "
        f"above 4 kHz: {', '.join(shares)}."
    )


def _silence(facts: Record) -> str:
    """Return where the clips come from that no corpus gave as such."""
    cut = facts["rebuilt"]["of"] - sum(corpus["clips"] for corpus in facts["corpora"])
    return f"{cut:,} of them are silence, cut from background recordings." if cut > 0 else ""


def recipe(settings: Record) -> str:
    """Return settings as a list: one line for each section and each corpus.

    Args:
        settings: All of them, as JSON types; what is not set is left out.
    """
    lines = [
        f"- corpus {code(corpus['folder'])}: {_flat(corpus, skip='folder') or 'as it is'}"
        for corpus in settings["data"]["corpora"]
    ]
    lines.append(f"- data: {_flat(settings['data'], skip='corpora')}")
    for section in ("features", "model", "train"):
        lines.append(f"- {section}: {_flat(settings[section])}")
    for name, step in settings["augment"].items():
        if step is not None:
            lines.append(f"- augment, {name}: {_flat(step)}")
    return "\n".join(lines)


def _flat(section: Record, skip: str = "") -> str:
    """Return the keys of a section with their values; what is off or empty is left out."""
    told = {k: v for k, v in section.items() if k != skip and (v == 0 or v) and v is not False}
    return ", ".join(k if v is True else f"{k} {_value(v)}" for k, v in told.items())


def _value(value: object) -> str:
    """Return a setting as a reader writes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return " ".join(map(_value, value))
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return code(text) if "_" in text or "*" in text else text


def _seeds(facts: Record) -> str:
    rows = [
        (
            str(one["seed"]) + " (these weights)" * one["is_shipped"],
            *(percent(one["results"][split]["all clips"]) for split in SPLITS),
        )
        for one in facts["seeds"]
    ]
    rule = "The rule: of the seeds given, the one that training found best on validation."
    return f"{rule}\n\n{table(('seed', 'validation', 'test'), rows)}"


def _again(facts: Record) -> str:
    told, runs = facts["provenance"], [one["run"] for one in facts["seeds"]]
    trained = "\n".join(
        f"$ watchword train {facts['name']} --env env.yml seed={one['seed']}"
        for one in facts["seeds"]
    )
    tested = "\n".join(
        f"$ watchword eval output/google_commands/{run}/best.safetensors --env env.yml --split test"
        for run in runs
    )
    where = " ".join(f"output/google_commands/{run}" for run in runs)
    return (
        "The settings lie beside this card, in `config.yml`; the first command reads them.\n\n"
        f"```console\n{trained}\n{tested}\n"
        f"$ watchword ship {where} --name {facts['name']}\n```\n\n"
        f"These weights came from `{told.get('command')}` at commit `{told.get('commit')}` with "
        f"watchword {told.get('watchword')} and torch {told.get('torch')}, epoch "
        f"{told.get('epoch')} of {facts['settings']['train']['epochs']}. Corpora by fingerprint: "
        + ", ".join(f"{code(k)} `{v}`" for k, v in (told.get("data") or {}).items())
        + "."
    )


def _words(labels: Sequence[str]) -> str:
    return ", ".join(map(code, labels))
