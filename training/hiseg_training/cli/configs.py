"""``hiseg-train configs``: list the named configurations, or print one."""

from __future__ import annotations

from typing import Annotated

import typer

from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import Set


def configs(
    name: Annotated[
        str | None, typer.Argument(help="a name or an alias, to see all of its values", show_default="a list of all")
    ] = None,
    set: Set = [],  # noqa: B006
) -> None:
    """List the configurations, or print one as JSON."""
    from hiseg_training.compat.names import NAMES
    from hiseg_training.config.names import FINDER, LITES, configuration, short
    from hiseg_training.config.overrides import override, parse

    with cli_errors():
        if name is not None:
            typer.echo(override(configuration(name), parse(set)).model_dump_json(indent=2))
            return
        for known in (*LITES, FINDER, *NAMES):
            found = override(configuration(known), parse(set))
            names = known if known in (*LITES, FINDER) else f"{short(known)}\n  {known}"
            typer.echo(
                f"{names}\n  {_line(known)}, {found.schedule.epochs} epochs of batch "
                f"{found.schedule.batch_size}, learning rate {found.schedule.learning_rate:g}"
            )


def _line(name: str) -> str:
    """Summarise a configuration's architecture in a line."""
    from hiseg_training.config.names import configuration

    found = configuration(name)
    model = found.model
    if found.kind == "distillation":
        t = found.distillation.temperature
        course = f"temperature {t.initial:g} to {t.final:g} ({t.shape})"
        return f"coarse stage {model.variant} from {found.distillation.teacher}, {course}"
    if found.kind == "find":
        return f"finder {model.family} {model.variant}, views {'x'.join(map(str, found.finding.view))}"
    roi, mask = ("x".join(map(str, size)) for size in (model.roi_size, model.mask_size))
    decoder = f"{'-'.join(map(str, model.fine_widths))} x {model.fine_depth}"
    return f"{model.family} {model.variant}, RoI {roi}, mask {mask}, decoder {decoder}"
