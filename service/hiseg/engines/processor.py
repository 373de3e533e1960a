"""Whether this machine's processor has instructions for 8-bit numbers, without which INT8 is no faster than FP32."""

from __future__ import annotations

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
INT8_INSTRUCTIONS = ("avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp")
"""Linux's names of instructions that multiply and add four or more 8-bit numbers at once, of x86 and of ARM."""
LISTS = ("flags", "Features")
"""What Linux calls the list of them, on x86 and on ARM."""


def int8_instructions(cpuinfo: Path = CPUINFO) -> list[str]:
    """Those of :data:`INT8_INSTRUCTIONS` that the processor has; none where the system doesn't say.

    Args:
        cpuinfo: what Linux says of the processor.
    """
    try:
        with cpuinfo.open() as file:
            found = next((line for line in file if line.partition(":")[0].strip() in LISTS), "")
    except (OSError, ValueError):
        found = ""  # no Linux
    has = set(found.partition(":")[2].split())
    return [name for name in INT8_INSTRUCTIONS if name in has]
