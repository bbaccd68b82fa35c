"""The devices of a run: one GPU, all of them, several machines, or the CPU.

In come the section ``train`` and what a command line asks for, out goes lightning's ``Fabric``. A
room because what there is on a machine is asked here and nowhere else.
"""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric

from watchword.errors import ConfigError
from watchword.settings import TrainSettings

CPU = -1
"""What stands for the CPU among the numbers of GPUs."""
PRECISIONS: dict[str, Any] = {"64": "64-true", "32": "32-true", "bf16": "bf16-mixed"}


def fabric(
    settings: TrainSettings,
    *,
    gpu: int | None = None,
    processes: int | None = None,
    nodes: int = 1,
) -> Fabric:
    """Return the devices of a run: one GPU, all GPUs, several nodes, or the CPU.

    Args:
        settings: Section ``train``.
        gpu: Number of the one GPU to use; -1 for the CPU.
        processes: How many GPUs, or processes on a CPU; all GPUs, or one process, where not given.
        nodes: How many machines.

    Raises:
        ConfigError: If there is no such GPU, or more processes are asked for than there are GPUs.
    """
    found = torch.cuda.device_count()
    have = f"{found} GPUs, numbered from 0" if found else "no GPU"
    if gpu == CPU:
        found, gpu = 0, None
    if gpu is not None and gpu not in range(found):
        raise ConfigError(
            f"--gpu {gpu} was asked for and this machine has {have}: choose one of them, or leave "
            "--gpu out to use what there is"
        )
    if processes is not None and (gpu is not None or not 0 < processes <= (found or processes)):
        raise ConfigError(
            f"--processes {processes} was asked for and this machine has {have}: give --gpu or "
            "--processes, at least 1 and no more than there are GPUs, or neither to use them all"
        )
    devices: Any = [gpu] if gpu is not None else (processes or (found or 1))
    many = nodes > 1 or (gpu is None and int(devices) > 1)
    return Fabric(
        accelerator="cuda" if found else "cpu",
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if many else "auto",
        precision=PRECISIONS[settings.precision],
    )


def device(gpu: int | None) -> torch.device:
    """Return the device of an evaluation.

    Args:
        gpu: Number of a GPU, or -1 for the CPU; the first GPU, or the CPU, where not given.

    Raises:
        ConfigError: If there is no such GPU.
    """
    chosen = fabric(TrainSettings(), gpu=gpu, processes=1 if gpu in (None, CPU) else None)
    return chosen.device


def end_other_processes(chosen: Fabric) -> None:
    """End the processes that a run on one machine started beside this one.

    Called when this one cannot go on, so that none waits for it for ever.

    Args:
        chosen: Devices and processes of the run.
    """
    for process in getattr(chosen.strategy.launcher, "procs", []):
        process.kill()
