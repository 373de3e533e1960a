"""``hiseg-train export-filter``: the filters as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg.cli.numbers import number, whole_number
from hiseg_training.cli.errors import cli_errors
from hiseg_training.compat.filters.kinds import BilateralType

export_filter = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Write filters that even out masks, as ONNX."
)
ADAPTIVE_NUMBERS = {"blur_strength": 3.0, "edge_sensitivity": 1.0, "final_threshold": 0.5}


@export_filter.command()
def edge(
    output_dir: Annotated[Path, typer.Option("--output-dir", "-o", help="folder of the five files")] = Path(
        "onnx_models"
    ),
) -> None:
    """Write the five edge-smoothing filters: basic, directional, adaptive, and optimized in FP32 and FP16."""
    from hiseg_training.compat.filters.edge import edge_filters
    from hiseg_training.compat.filters.write import write_filter

    for name, module in edge_filters().items():
        numbers = ADAPTIVE_NUMBERS if name.startswith("adaptive") else None
        path = output_dir / f"{name}.onnx"
        write_filter(module, path, ("mask", "smoothed_mask"), 1, numbers, {"filter": name})
        typer.echo(f"wrote {path}")


@export_filter.command()
def bilateral(
    model_type: Annotated[BilateralType, typer.Option(help="which filter")] = BilateralType.FAST,
    output: Annotated[Path, typer.Option(help="the .onnx file", metavar="FILE")] = Path("bilateral_filter.onnx"),
    channels: Annotated[int, whole_number("of the image; fixed in the file", min=1)] = 3,
    kernel_size: Annotated[int, whole_number("odd, cells")] = 5,
    sigma_spatial: Annotated[float, number("of the Gaussian over distance, cells")] = 1.0,
    sigma_range: Annotated[float, number("of the Gaussian over differences of value")] = 0.1,
) -> None:
    """Write one of the filters that smooth and keep edges."""
    from hiseg_training.compat.filters.bilateral import BILATERAL_FILTERS, Sizes
    from hiseg_training.compat.filters.write import write_filter

    with cli_errors():
        sizes = Sizes(kernel_size, sigma_spatial, sigma_range)
    said = {
        "filter": model_type.value,
        "kernel_size": str(kernel_size),
        "sigma_spatial": str(sigma_spatial),
        "sigma_range": str(sigma_range),
    }
    write_filter(BILATERAL_FILTERS[model_type](sizes), output, ("input", "output"), channels, metadata=said)
    typer.echo(f"wrote {output}")
