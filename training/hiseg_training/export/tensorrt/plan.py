"""Writes the script that builds a model's TensorRT plans, with one profile for each canvas (experimental)."""

from __future__ import annotations

from dataclasses import dataclass

from hiseg_training.config.model import Size

FOLDER_END = "_trt"
"""Suffix of the name of a model's TensorRT version."""
OPTIMAL = (4, 8)
"""Numbers of images and people that kernels are chosen for, limited by the profile's maxima."""


@dataclass(frozen=True)
class Profile:
    """Batches that a plan accepts.

    Attributes:
        images: most images; at least 1 is needed.
        people: most people; at least 1 is needed.
        half: whether FP16 kernels may be used.

    Raises:
        ValueError: a maximum is less than 1.
    """

    images: int = 16
    people: int = 64
    half: bool = True

    def __post_init__(self) -> None:
        for name in ("images", "people"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is less than 1")

    def arguments(self, canvases: tuple[Size, ...]) -> list[str]:
        """Return the arguments of ``trtexec``; profile k is that of (height, width) canvas k."""
        arguments = ["--fp16"] if self.half else []
        likely = (min(OPTIMAL[0], self.images), min(OPTIMAL[1], self.people))
        for number, (height, width) in enumerate(canvases):
            arguments.append(f"--profile={number}")
            for which, (images, people) in {"min": (1, 1), "opt": likely, "max": (self.images, self.people)}.items():
                arguments.append(f"--{which}Shapes=images:{images}x3x{height}x{width},rois:{people}x5")
        return arguments


def build_script(name: str, canvases: tuple[Size, ...], profile: Profile) -> str:
    """Return a shell script for NVIDIA's container, which has ``trtexec``, that builds the plan of each version."""
    arguments = " \\\n    ".join(profile.arguments(canvases))
    return f"""#!/bin/sh
# Builds the plans of {name}{FOLDER_END} on the kind of GPU, and with the release of TensorRT, that will run them:
#   docker run --rm --gpus all -v "$PWD/model_repository:/models" nvcr.io/nvidia/tensorrt:24.10-py3 \\
#     sh /models/{name}{FOLDER_END}/build.sh
set -eu
cd "$(dirname "$0")"
for version in ../{name}/[0-9]*; do
  number=$(basename "$version")
  mkdir -p "$number"
  trtexec --onnx="$version/model.onnx" --saveEngine="$number/.partial" --skipInference \\
    {arguments}
  for file in "$version"/canary.*; do
    if [ -e "$file" ]; then cp "$file" "$number/"; fi
  done
  mv "$number/.partial" "$number/model.plan"
done
"""
