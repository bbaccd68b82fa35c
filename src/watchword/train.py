"""The training loop, one that can be read from top to bottom.

In come settings, prepared corpora and a run folder, out come checkpoints and ``metrics.jsonl``. A
room because everything that makes a run reproducible meets here: the order of clips, the
augmentation and the dropout of a step are functions of seed, epoch and step alone, so a run that
was killed and started again ends with the same bits on the CPU, and several processes hear what one
would have heard.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from watchword import adjust, ahead, build, checkpoint
from watchword.begin import begin_from
from watchword.chain import to_waveforms
from watchword.checkpoint import Checkpoint
from watchword.config import Settings
from watchword.data.rows import Source
from watchword.data.sampling import evaluation
from watchword.errors import CheckpointError, DataError
from watchword.hearing import Batch, Heard, Hearing
from watchword.models import fused
from watchword.progress import Progress, Watcher, read_state, write_state
from watchword.schedule import Average, learning_rate, settle
from watchword.units import CLIP_SAMPLES

NORMALISATION_CLIPS = 2_048


class Run:
    """One training run: settings, data, network and how far it has come.

    Args:
        settings: What to train.
        sources: Prepared corpora.
        folder: Where the run is kept.
        fabric: Devices and processes, launched.
    """

    def __init__(
        self, settings: Settings, sources: Sequence[Source], folder: Path, fabric: Fabric
    ) -> None:
        self.settings, self.sources, self.folder, self.fabric = settings, sources, folder, fabric
        self.task = settings.find_task()
        self.plan = build.plan(settings, sources)
        self.train_reader = build.reader(settings, sources, "train")
        self.valid_reader = build.reader(settings, sources, "valid")
        valid, parts = evaluation(sources, self.task, "valid")
        self.valid = valid[parts == "task"]
        torch.manual_seed(settings.seed)
        classifier = build.classifier(settings, len(self.task.labels))
        self.ear, self.network = classifier.ear.to(fabric.device), classifier.network
        self.hearing = Hearing(
            settings, self.train_reader, self.ear, self.task.labels, fabric.device
        )
        targets = self.plan.epoch(0).target
        counts = np.bincount(targets, minlength=len(self.task.labels)).tolist()
        self.shift = adjust.shift(settings.train.logit_adjustment, counts)
        if settings.train.sync_batch_norm and fabric.world_size > 1:
            self.network = build.synchronised(self.network, fabric.device)
        is_double = settings.train.precision == "64"
        self.network.to(fabric.device, torch.float64 if is_double else torch.float32)
        self.optimizer = build.optimizer(settings.train, self.network)
        self.average = Average(self.network, settings.train.ema_decay)
        self.progress = Progress()
        self.provenance = checkpoint.provenance(settings.seed)  # now: the source may change later
        self.wrapped: Any = None

    @property
    def global_batch(self) -> int:
        """Clips that all processes together learn from in a step."""
        return self.settings.train.batch_size * self.fabric.world_size

    def fingerprint(self) -> str:
        """Name of the data, as stored in checkpoints: one fingerprint for each corpus."""
        return "+".join(source.store.fingerprint[:16] for source in self.sources)

    # ---------------------------------------------------------------------------- the line of a run

    def fit(self, watcher: Watcher) -> None:
        """Train to the end, from where the folder's last state left off.

        Args:
            watcher: Told how it goes.
        """
        if not self.restore():
            self.begin()
        self.wrapped, self.optimizer = self.fabric.setup(self.network, self.optimizer)
        with self.listening() as hear:
            while self.progress.epoch < self.settings.train.epochs:
                self._epoch(watcher, hear)
        self.fabric.barrier()

    def begin(self) -> None:
        """Start from another training's weights, or from random ones and the clips as they are."""
        start = self.settings.train.start_from
        if start is None:
            self.learn_normalisation()
            return
        begin_from(start, self.settings, self.task.labels, self.ear, self.network)
        self.average = Average(self.network, self.settings.train.ema_decay)

    @contextmanager
    def listening(self) -> Iterator[Callable[[Iterable[Batch]], Iterator[Heard]]]:
        """Start the processes that hear ahead, if there are any, and end them afterwards.

        Yields:
            What returns, for steps in order, what this process learns from in each.
        """
        threads, world = torch.get_num_threads(), self.fabric.world_size
        wish = self.settings.train.hear_ahead if world == 1 else "never"
        processes = ahead.processes_for(wish, self.fabric.device, threads)
        if not processes:
            yield partial(
                map, partial(self.hearing.batch, rank=self.fabric.global_rank, processes=world)
            )
            return
        shape = self.settings.features.bands, self.ear.frames(CLIP_SAMPLES)
        listeners = ahead.Ahead(self.hearing, processes, self.global_batch, *shape)
        torch.set_num_threads(max(1, threads - processes))
        try:
            yield listeners.hear
        finally:
            listeners.end()
            torch.set_num_threads(threads)

    def _epoch(self, watcher: Watcher, hear: Callable[[Iterable[Batch]], Iterator[Heard]]) -> None:
        """Learn from one epoch, validate, and keep the result."""
        progress, number = self.progress, self.progress.epoch
        clips = self.plan.epoch(number)
        batches = np.array_split(np.arange(len(clips)), math.ceil(len(clips) / self.global_batch))
        watcher.epoch_starts(number + 1, self.settings.train.epochs, len(batches))
        for _ in range(progress.batch):
            watcher.batch_done()
        started = saved = time.perf_counter()
        before = progress.seconds
        steps = [Batch(clips[batches[i]], number, i) for i in range(progress.batch, len(batches))]
        for index, heard in enumerate(hear(steps), progress.batch):
            self.step(steps[index - steps[0].number], heard, self.rate(index, len(batches)))
            now = time.perf_counter()
            progress.batch, progress.seconds = index + 1, before + now - started
            watcher.batch_done()
            if now - saved > 60 * self.settings.train.save_minutes:
                self.keep_state()
                saved = now
        watcher.epoch_ends(self._finish_epoch(self.rate(len(batches) - 1, len(batches))))

    def rate(self, batch: int, batches: int) -> float:
        """Return the learning rate of a batch of the current epoch.

        Args:
            batch: Its number, from 0.
            batches: Batches of the epoch.
        """
        return learning_rate(self.settings.train, self.progress.epoch + batch / batches)

    def step(self, step: Batch, heard: Heard, rate: float) -> None:
        """Learn from one batch; each process takes its part of it.

        Args:
            step: Which batch.
            heard: This process's part of it.
            rate: Learning rate.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.hearing.seed_dropout(step, self.fabric.global_rank)
        count = len(step.clips)
        logits = self.wrapped(heard.features)  # (clips, classes)
        smoothing = self.settings.train.label_smoothing
        losses = F.cross_entropy(
            logits.float(), heard.soft, label_smoothing=smoothing, reduction="sum"
        )
        # gradients are averaged over processes; this makes them those of the mean over the whole
        # batch
        self.fabric.backward(losses * (self.fabric.world_size / count))
        if self.settings.train.gradient_clip is not None:
            self.fabric.clip_gradients(
                self.wrapped,
                self.optimizer,
                max_norm=self.settings.train.gradient_clip,
                error_if_nonfinite=False,  # a loss that is no number ends the epoch with one line
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.follow(self.network)
        right = (logits.argmax(1) == heard.targets).sum()
        loss, correct = self._sum(torch.stack([losses.detach(), right]))
        self.progress.loss += loss
        self.progress.correct += int(correct)
        self.progress.clips += count

    def _finish_epoch(self, rate: float) -> dict[str, Any]:
        """Validate the average, keep it if it is the best, and return the epoch's record."""
        progress = self.progress
        network = self.settled_average()
        correct, loss = self.validate(network)
        count = len(self.valid)
        record = {
            "epoch": progress.epoch + 1,
            "step": (progress.epoch + 1) * progress.batch,
            "loss": progress.loss / progress.clips,
            "train_accuracy": progress.correct / progress.clips,
            "valid_accuracy": correct / count,
            "valid_count": count,
            "valid_loss": loss,
            "learning_rate": rate,
            "clips_per_second": progress.clips / progress.seconds,
            "seconds": progress.seconds,
        }
        if not math.isfinite(record["loss"]):
            raise DataError(
                f"the loss of epoch {record['epoch']} is {record['loss']}: lower "
                "train.learning_rate or set train.gradient_clip, and give the run another name "
                "(name=...); the last checkpoint is unharmed"
            )
        progress.history.append(record)
        progress.epoch += 1
        if record["valid_accuracy"] > progress.best:
            progress.best = record["valid_accuracy"]
            self.keep_model("best", network)
        if progress.epoch == self.settings.train.epochs:
            self.keep_model("last", network)
        progress.start_epoch()
        self.keep_state()
        return record

    # -------------------------------------------------------------------------------- what it hears

    def learn_normalisation(self) -> None:
        """Set the front end's mean and deviation of each band from clips as they are on disk."""
        if not self.settings.features.is_normalised:
            return
        clips = self.plan.epoch(0)
        spoken = clips[clips.row >= 0][:NORMALISATION_CLIPS]
        audio = self.train_reader.batches(spoken)
        build.normalise(self.ear, (to_waveforms(pcm, self.fabric.device) for _, pcm in audio))

    def settled_average(self) -> nn.Module:
        """Return the averaged network in eval mode, adjusted, its statistics measured anew."""
        network = build.network(self.settings, len(self.task.labels)).to(self.fabric.device)
        network.load_state_dict(self.average.state)
        adjust.lower(network, self.shift)
        if self.settings.train.settle_batches:
            settle(network, self._heard_to_settle())
        return network.eval()

    def _heard_to_settle(self) -> Iterator[Tensor]:
        """Yield features of the first batches of this epoch; every process hears all of them."""
        clips = self.plan.epoch(self.progress.epoch)
        count = max(1, min(self.settings.train.settle_batches, len(clips) // self.global_batch))
        for batch in range(count):
            rng = np.random.default_rng([self.settings.seed, 4, self.progress.epoch, batch])
            part = clips[batch * self.global_batch : (batch + 1) * self.global_batch]
            yield self.hearing.hear(part, rng, slice(0, len(part))).features

    @torch.no_grad()
    def validate(self, network: nn.Module) -> tuple[int, float]:
        """Return right answers and mean loss over the validation clips.

        Args:
            network: A network in eval mode.
        """
        sums = torch.zeros(2, dtype=torch.float64)
        for number, (part, audio) in enumerate(self.valid_reader.batches(self.valid)):
            if number % self.fabric.world_size != self.fabric.global_rank:
                continue
            logits = network(self.ear(to_waveforms(audio, self.fabric.device))).float().cpu()
            targets = torch.from_numpy(self.valid.target[part])
            sums[0] += (logits.argmax(1) == targets).sum()
            sums[1] += F.cross_entropy(logits, targets, reduction="sum")
        correct, loss = self._sum(sums)
        return int(correct), loss / len(self.valid)

    def _sum(self, values: Tensor) -> list[float]:
        """Return values summed over processes."""
        total = self.fabric.all_reduce(values.to(self.fabric.device), reduce_op="sum")
        assert isinstance(total, Tensor)
        return [float(value) for value in total]

    # -------------------------------------------------------------------------------- what it keeps

    def keep_model(self, stem: str, network: nn.Module) -> None:
        """Write a checkpoint that can be evaluated.

        Args:
            stem: File name without suffix.
            network: The network that was validated.
        """
        if not self.fabric.is_global_zero:
            return
        record = self.progress.history[-1]
        weights = {f"ear.{name}": value for name, value in self.ear.state_dict().items()}
        weights |= {f"network.{name}": value for name, value in network.state_dict().items()}
        told = self.provenance | {
            "run": self.folder.name,
            "epoch": record["epoch"],
            "valid_accuracy": record["valid_accuracy"],
            "valid_count": record["valid_count"],
            "data": {source.name: source.store.fingerprint for source in self.sources},
            "epoch_clips": self.plan.counts([source.name for source in self.sources]),
            "rebuilt": [s.name for s in self.sources if s.is_rebuilt],
            "processes": self.fabric.world_size,
            "threads": torch.get_num_threads(),
            "compiled": fused.is_compiled(),
        }
        if self.hearing.teachers.digests:
            told["teachers"] = self.hearing.teachers.digests
        if any(self.shift):
            told[checkpoint.SHIFT] = self.shift
        checkpoint.save(
            Checkpoint(self.settings, self.task.labels, weights, told), self.folder / stem
        )

    def keep_state(self) -> None:
        """Write all that a later process needs to go on, and the log so far."""
        if not self.fabric.is_global_zero:
            return
        state = {
            "card": self._card(),
            "network": self.network.state_dict(),
            "ear": self.ear.state_dict(),
            "average": self.average.state,
            "average_steps": self.average.steps,
            "optimizer": self.optimizer.state_dict(),
        }
        write_state(self.folder, state, self.progress)

    def restore(self) -> bool:
        """Take up the folder's last state, if there is one.

        Returns:
            Whether there was one.

        Raises:
            CheckpointError: If it belongs to other settings or other data, or only some of several
                machines have it.
        """
        state = read_state(self.folder, self._card())
        if self.fabric.broadcast(state is not None) != (state is not None):
            raise CheckpointError(
                f"{self.folder} is not the same folder on all machines: put the output on a file "
                "system that they share"
            )
        if state is None:
            return False
        self.network.load_state_dict(state["network"])
        self.ear.load_state_dict(state["ear"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, value in state["average"].items():
            self.average.state[name].copy_(value)
        self.average.steps, self.progress = state["average_steps"], state["progress"]
        return True

    def _card(self) -> str:
        """Return what a state must share with a run that goes on from it."""
        return json.dumps(
            {
                # who hears is no part of what a run is
                "settings": self.settings.model_dump(
                    mode="json", exclude={"train": {"hear_ahead"}}
                ),
                "data": self.fingerprint(),
                "global_batch": self.global_batch,
            }
        )
