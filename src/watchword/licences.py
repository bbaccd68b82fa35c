"""Whose audio weights are made of: each public corpus with its licence and who is to be named.

In comes the folder name of a corpus, out goes whom a model card thanks. A room because a licence
asks for a name wherever the work goes: there is one table, and weights whose audio it does not
hold are not shipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from watchword.errors import DataError

WEIGHTS: Final = "CC-BY-4.0"
"""SPDX identifier of the licence of shipped weights."""
CODE: Final = "Apache-2.0"
"""SPDX identifier of the licence of the code."""


@dataclass(frozen=True)
class Corpus:
    """A public corpus.

    Args:
        title: Its name.
        licence: SPDX expression.
        credit: Who made it, and where they say so.
        place: Address of its page.
        folders: How folders that hold it begin, small letters and hyphens.
        hub: Identifier on the Hugging Face hub, or "".
    """

    title: str
    licence: str
    credit: str
    place: str
    folders: tuple[str, ...]
    hub: str = ""


NOISE_BY: Final = (
    "aesqe, AGFX, Aiyumi, Akoustikos, alex36917, andydonaldson6, ariat, ayamahambho, Benboncan, "
    "bigjoedrummer, bogus, BoilingSand, bspiller5, bulbastre, Corsica_S, delphidebrain, Digifish "
    "music, digifishmusic, dobroide, Eelke, Erdie, ermfilm, gezortenplotz, Glaneur de sons, "
    "Goup_1, GrooveOption, HerbertBoland, InspectorJ, jeanorwin, jesabat, JFBSAUVE, jimblodget, "
    "joedeshon, Krisboruff, Kyster, lgarrett, lonemonk, Luftrum, mario1298, markfrancombe, "
    "massenbachhausen, mystiscool, Ndheger, NikosDemetriou, pcaeldries, PhreaKsAccount, "
    "plingativator, poissonmort, Puniho, rbirdwise, reinsamba, ronfont, schafferdavid, SDLx, "
    "Setuniman, Shapeshifter242, Slapbass, sonitusetaudio, soundscalpel.com, stevelalonde, "
    "stevenpam, Tewkesound, theTone, Thomas Rosen, thomasevd, Tomlija, urupin, wildear1, WIM"
)
"""The authors of the training part of ``noise`` whose recordings are CC BY, from its list."""

CORPORA: Final = (
    Corpus(
        title="Speech Commands",
        licence="CC-BY-4.0",
        credit="Pete Warden and Google (2018), Speech Commands: A Dataset for Limited-Vocabulary "
        "Speech Recognition, arXiv 1804.03209",
        place="https://arxiv.org/abs/1804.03209",
        folders=("speech-commands",),
        hub="google/speech_commands",
    ),
    Corpus(
        title="Arabic Speech Commands",
        licence="CC-BY-4.0",
        credit="Abdulkader Ghandoura, Farouk Hjabo and Oumayma Al Dakkak (2021), Building and "
        "Benchmarking an Arabic Speech Commands Dataset for Small-Footprint Keyword Spotting",
        place="https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset",
        folders=("arabic-commands", "arabic-speech-commands"),
    ),
    Corpus(
        title="LibriSpeech",
        licence="CC-BY-4.0",
        credit="Vassil Panayotov, Guoguo Chen, Daniel Povey and Sanjeev Khudanpur (2015), "
        "Librispeech: An ASR Corpus Based on Public Domain Audio Books",
        place="https://www.openslr.org/12",
        folders=("read-speech", "librispeech"),
        hub="openslr/librispeech_asr",
    ),
    Corpus(
        title="Noise: ESC-10 (Piczak 2015), ambient loops, streets of Berlin",
        licence="CC0-1.0 AND CC-PDM-1.0 AND CC-BY-3.0 AND CC-BY-4.0",
        credit=f"file by file; under CC BY, recordings by {NOISE_BY}",
        place="https://github.com/karolpiczak/ESC-50",
        folders=("noise",),
    ),
    Corpus(
        title="Texts of LibriSpeech, spoken by the voices of espeak-ng",
        licence="CC-BY-4.0",
        credit="texts: Vassil Panayotov, Guoguo Chen, Daniel Povey and Sanjeev Khudanpur (2015); "
        "voices: Jonathan Duddington, Reece H. Dunn and the authors of espeak-ng",
        place="https://github.com/espeak-ng/espeak-ng",
        folders=("sentences",),
    ),
    Corpus(
        title="Seconds of the corpora named here at which earlier models fired",
        licence="CC0-1.0 AND CC-PDM-1.0 AND CC-BY-3.0 AND CC-BY-4.0",
        credit="as those corpora; cut by watchword mine",
        place="https://www.openslr.org/12",
        folders=("mined",),
    ),
)


def corpus_of(folder: str) -> Corpus:
    """Return the corpus that a folder holds, told by the folder's name alone.

    Args:
        folder: Name or path; ``speech_commands_v0.02`` and ``speech-commands-mel`` are both Speech
            Commands.

    Raises:
        DataError: If the table has no such corpus.

    Example:
        >>> corpus_of("datasets/speech_commands_v0.02").title
        'Speech Commands'
    """
    name = PurePath(folder).name.lower().replace("_", "-")
    for corpus in CORPORA:
        if any(name == start or name.startswith(f"{start}-") for start in corpus.folders):
            return corpus
    raise DataError(
        f"training heard {folder} and nobody knows under which licence: weights are shipped where "
        "all of their audio may be passed on with a name; give it a row in CORPORA of licences.py"
    )
